// A real browser on a WebUI's page. Usage: node FILE.mjs PUPPETEER CHROMIUM URL HOST FOLDER; prints JSON.
import { mkdir } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const READY = 400_000;
const PATIENCE = 600_000;
const ENTRY = 30_000;

/** Run checks one after the other on one page; results name -> error text or null. */
export async function run(checks) {
  const [puppeteerPath, chromium, url, host, folder] = process.argv.slice(2);
  const { default: puppeteer } = await import(pathToFileURL(puppeteerPath).href);
  const browser = await puppeteer.launch({
    executablePath: chromium,
    protocolTimeout: 2 * PATIENCE, // a wait for a fit is one call; the default ends it after 3 minutes
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"],
  });
  const results = {};
  const figures = {};
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
    await page.setViewport({ width: 1400, height: 1000 });
    page.on("dialog", (dialog) => dialog.accept());
    const tab = new Page(page, { url, host, folder, figures });
    await mkdir(folder, { recursive: true });
    await tab.open();
    for (const [name, check] of Object.entries(checks)) {
      console.error(`${new Date().toISOString().slice(11, 19)} ${name}`);
      try {
        await check(tab);
        results[name] = null;
      } catch (error) {
        results[name] = `${error.stack ?? error}`;
        console.error(`${name}\n${results[name]}`);
        await page.screenshot({ path: `${folder}/failed ${host} ${name}.png` }).catch(() => {});
      }
    }
    results["no error of ours reaches the page"] = errors.filter((text) => /sigmasmith/i.test(text)).join("\n") || null;
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ results, figures }));
}

export function check(truth, message) {
  if (!truth) throw new Error(typeof message === "string" ? message : JSON.stringify(message));
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

class Page {
  constructor(page, options) {
    this.page = page;
    this.requests = [];
    this.unanswered = new Set(); // without streams, which stay open
    Object.assign(this, options);
    page.on("request", (request) => request.method() === "POST" && this.unanswered.add(request));
    // By the head of the answer: Chromium does not tell of the end of every one. A page that is left asks for nothing.
    page.on("response", (response) => this.unanswered.delete(response.request()));
    page.on("requestfailed", (request) => this.unanswered.delete(request));
    page.on("framenavigated", (frame) => frame === page.mainFrame() && this.unanswered.clear());
    page.on("request", (request) => this.requests.push(`${request.method()} ${new URL(request.url()).pathname} ${(request.postData() ?? "").slice(0, 120)}`));
  }

  async open() {
    await this.page.goto(this.url, { waitUntil: "domcontentloaded", timeout: READY });
    await this.opened();
  }

  /** Wait for the page, and open our panels. */
  async opened() {
    await this.within(READY, "the page", () => document.getElementById("txt2img_generate") !== null); // Neo replaces it
    await this.quiet();
    await this.page.evaluate(() => {
      for (const tab of ["txt2img", "img2img"]) {
        const label = document.querySelector(`#script_${tab}_sigmasmith_panel .label-wrap`);
        if (label && !label.classList.contains("open")) label.click();
      }
    });
    await this.quiet();
  }

  /** Wait until everything is answered and the page, with nothing left to do, has sent nothing for two seconds. */
  async quiet() {
    for (let seen = -1; seen !== this.requests.length || this.unanswered.size > 0; await sleep(2000)) {
      seen = this.requests.length;
      // On a busy machine the page is long at work on an answer before it asks on.
      await this.in(() => new Promise((done) => requestIdleCallback(() => done(), { timeout: 60_000 }))).catch(() => null); // the page may be left
    }
  }

  in(code, ...given) {
    return this.page.evaluate(code, ...given);
  }

  /** Open one of the tabs of our panel. */
  async open_tab(name, tab = "txt2img") {
    await this.in((id, wanted) => [...document.querySelectorAll(`#${id} button[role=tab], #${id} .tab-nav button`)].find((button) => button.innerText.trim() === wanted).click(), `script_${tab}_sigmasmith_tabs`, name);
    await sleep(500);
  }

  until(what, wanted, ...given) {
    return this.within(PATIENCE, what, wanted, ...given);
  }

  async within(timeout, what, wanted, ...given) {
    try {
      const handle = await this.page.waitForFunction(wanted, { timeout, polling: 50 }, ...given);
      return await handle.jsonValue();
    } catch (error) {
      throw new Error(`${what}: ${error.message}`);
    }
  }

  async shoot(name, selector = null) {
    const target = selector ? await this.page.$(selector) : this.page;
    await target.screenshot({ path: `${this.folder}/${this.host} ${name}.png` });
  }

  click(elemId) {
    return this.in((id) => document.getElementById(id).click(), elemId);
  }

  /** Press a button that starts a generation of a tab, and wait until it has ended and the page is told. */
  async generate(elemId = "txt2img_generate", tab = "txt2img") {
    await this.click(elemId);
    await this.until("a generation begins", (id) => document.getElementById(id).style.display === "block", `${tab}_skip`);
    await this.until("the generation ends", (id) => document.getElementById(id).style.display !== "block", `${tab}_skip`);
    await sleep(1000);
    await this.quiet();
  }

  /** The text of a part of our panel. */
  text(part, tab = "txt2img") {
    return this.in((id) => document.getElementById(id)?.innerText ?? "", `script_${tab}_sigmasmith_${part}`);
  }

  /** What a dropdown shows. */
  shown(elemId) {
    return this.in((id) => document.querySelector(`#${id} input`).value, elemId);
  }

  /** The entries that a dropdown offers when a person opens it. */
  async offered(elemId) {
    await this.page.focus(`#${elemId} input`);
    await this.page.click(`#${elemId} input`);
    const names = await this.until("the list opens", (id) => {
      const entries = [...document.querySelectorAll(`#${id} ul li, body > ul.options li, ul.options li`)].map((entry) => entry.innerText.replace("✓", "").trim());
      return entries.length ? entries : null;
    }, elemId);
    await this.page.keyboard.press("Escape");
    await this.in((id) => document.querySelector(`#${id} input`).blur(), elemId);
    return names;
  }

  /** Choose an entry of a dropdown as a person does. */
  async choose(elemId, entry) {
    await this.page.focus(`#${elemId} input`);
    await this.page.click(`#${elemId} input`);
    await this.within(ENTRY, `the entry ${entry}`, (wanted) => [...document.querySelectorAll("ul.options li")].some((item) => item.innerText.replace("✓", "").trim() === wanted), entry);
    await this.in((wanted) => {
      const item = [...document.querySelectorAll("ul.options li")].find((candidate) => candidate.innerText.replace("✓", "").trim() === wanted);
      item.dispatchEvent(new MouseEvent("mousedown", { bubbles: true, cancelable: true }));
    }, entry);
    await this.in((id) => document.querySelector(`#${id} input`).blur(), elemId);
    await sleep(300);
  }

  /** Type into a text box or number of ours or the host's. */
  async type(elemId, value) {
    const selector = `#${elemId} textarea, #${elemId} input[type=number], #${elemId} input[type=text]`;
    await this.page.waitForSelector(selector);
    await this.in((wanted, text) => {
      const input = document.querySelector(wanted);
      input.value = text;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
      input.blur();
    }, selector, value);
    await sleep(300);
  }
}
