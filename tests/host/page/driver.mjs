// A real browser on a real page of the host. Usage: node FILE.mjs PUPPETEER CHROMIUM URL RENDERER FOLDER; prints JSON.
import { mkdir } from "node:fs/promises";
import { pathToFileURL } from "node:url";

// Machines that do much else need more time: PAGE_SLOWNESS=4 waits four times as long.
export const SLOWNESS = Number(process.env.PAGE_SLOWNESS ?? 1);
const READY = 60_000 * SLOWNESS;
const PATIENCE = 15_000 * SLOWNESS;

/** Run checks one after the other on one page; results name -> error text or null. */
export async function run(checks) {
  const [puppeteerPath, chromium, url, renderer, folder] = process.argv.slice(2);
  const { default: puppeteer } = await import(pathToFileURL(puppeteerPath).href);
  const browser = await puppeteer.launch({
    executablePath: chromium,
    protocolTimeout: 300_000 * SLOWNESS, // the end of a queue is waited for in one call, for four minutes
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"],
  });
  const results = {};
  const figures = {};
  try {
    await browser.defaultBrowserContext().overridePermissions(new URL(url).origin, ["clipboard-read", "clipboard-write", "clipboard-sanitized-write"]);
    const page = await browser.newPage();
    const errors = [];
    page.on("dialog", (dialog) => dialog.accept()); // unsaved changes are no reason to stay
    page.on("pageerror", (error) => errors.push(error.stack ?? error.message));
    await page.setViewport({ width: 1400, height: 900 });
    const tab = new Tab(page, { url, renderer, folder, figures, errors });
    await mkdir(folder, { recursive: true });
    await tab.open();
    if (renderer === "vue" && !(await tab.hasVueNodes())) {
      console.log(JSON.stringify({ skipped: "this front end has no Nodes 2.0" }));
      return;
    }
    for (const [name, check] of Object.entries(checks)) {
      try {
        await tab.clear();
        await check(tab);
        results[name] = null;
      } catch (error) {
        results[name] = `${error.stack ?? error}`;
        await page.screenshot({ path: `${folder}/failed ${renderer} ${name}.png` }).catch(() => {});
        await page.keyboard.press("Escape");
      }
    }
    // Errors of the host's own page are not ours to fail on.
    results["no error of ours reaches the page"] = errors.filter((text) => text.includes("/extensions/Sigmasmith/")).join("\n") || null;
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify({ results, figures }));
}

export function check(truth, message) {
  if (!truth) throw new Error(typeof message === "string" ? message : JSON.stringify(message));
}

/** Wait for the workflow that the host opens by itself: it comes long after there is a graph, and would lie over ours. */
export function opened(page) {
  return page.waitForFunction(() => window.comfyAPI?.app?.app?.canvas?.graph && window.comfyAPI.app.app.extensionManager?.workflow?.activeWorkflow, { timeout: READY });
}

class Tab {
  constructor(page, options) {
    this.page = page;
    Object.assign(this, options);
  }

  async open() {
    await this.page.goto(this.url, { waitUntil: "domcontentloaded", timeout: READY });
    await opened(this.page);
    await this.page.evaluate(helpers);
    await sleep(1000);
    await this.page.evaluate(async (vue) => {
      const settings = window.ss.app.extensionManager.setting;
      await settings.set("Comfy.VueNodes.Enabled", vue);
    }, this.renderer === "vue");
    await this.page.keyboard.press("Escape");
    await sleep(500);
  }

  /** Front ends before 1.30 have an early trial of Nodes 2.0 that shows no elements of packs. */
  hasVueNodes() {
    return this.page.evaluate(() => {
      const [major, minor] = (window.__COMFYUI_FRONTEND_VERSION__ ?? "0.0").split(".").map(Number);
      return major > 1 || minor >= 30;
    });
  }

  async clear() {
    await this.page.evaluate(async () => {
      // Not graph.clear(): new front ends remember the values of its nodes by their ids.
      await window.ss.app.loadGraphData({ last_node_id: 0, last_link_id: 0, nodes: [], links: [], groups: [], config: {}, extra: {}, version: 0.4 });
      window.ss.app.canvas.ds.scale = 1;
      window.ss.app.canvas.ds.offset = [80, 80];
      window.ss.app.canvas.setDirty(true, true);
      document.querySelectorAll(".p-toast-message button").forEach((button) => button.click());
    });
  }

  /** How many prompts were ever queued. */
  queued() {
    return this.page.evaluate(async () => Object.keys(await (await fetch("/history")).json()).length);
  }

  /** Wait until a function in the page gives something true, and return that. */
  async until(what, wanted, ...given) {
    try {
      const handle = await this.page.waitForFunction(wanted, { timeout: PATIENCE, polling: 30 }, ...given);
      return await handle.jsonValue();
    } catch (error) {
      throw new Error(`${what}: ${error.message}`);
    }
  }

  in(code, ...given) {
    return this.page.evaluate(code, ...given);
  }

  shoot(name) {
    return this.page.screenshot({ path: `${this.folder}/${this.renderer} ${name}.png` });
  }

  toast(pattern) {
    return this.until(`a message like ${pattern}`, (source) => {
      const texts = [...document.querySelectorAll(".p-toast-message")].map((message) => message.innerText);
      return texts.find((text) => new RegExp(source).test(text));
    }, pattern.source);
  }

  /** Answer the host's dialog: type where a text is given, then press the button whose label matches. */
  async dialog(label, text = undefined) {
    await this.until(`a dialog with ${label}`, (source) => [...document.querySelectorAll('[role="dialog"] button')].some((button) => new RegExp(source, "i").test(button.innerText || button.ariaLabel)), label.source);
    await sleep(300);
    if (text !== undefined) {
      const input = await this.page.$('[role="dialog"] input');
      await input.click({ clickCount: 3 });
      await input.type(text);
    }
    await this.in((source) => [...document.querySelectorAll('[role="dialog"] button')].find((button) => new RegExp(source, "i").test(button.innerText || button.ariaLabel)).click(), label.source);
    await sleep(300);
  }

  async openLibrary() {
    await this.in(() => {
      if (!document.querySelector(".sigmasmith-library")) {
        const bar = window.ss.app.extensionManager.sidebarTab ?? window.ss.app.extensionManager;
        bar.toggleSidebarTab("sigmasmith");
      }
    });
    await this.page.waitForSelector(".sigmasmith-library .ss-list li", { timeout: PATIENCE });
  }

  names() {
    return this.in(() => [...document.querySelectorAll(".sigmasmith-library .ss-name")].map((name) => name.firstChild.textContent));
  }

  untilNames(what, wanted) {
    return this.until(what, (json) => JSON.stringify([...document.querySelectorAll(".sigmasmith-library .ss-name")].map((name) => name.firstChild.textContent).sort()) === json, JSON.stringify([...wanted].sort()));
  }

  /** Open the card of a preset and press one of its buttons. */
  async press(name, label) {
    await this.in((wanted) => {
      const card = [...document.querySelectorAll(".sigmasmith-library .ss-card")].find((entry) => entry.querySelector(".ss-name").firstChild.textContent === wanted);
      if (!card.classList.contains("ss-open")) card.querySelector(".ss-head").click();
    }, name);
    await this.in((wanted) => {
      const buttons = [...document.querySelectorAll(".sigmasmith-library .ss-open .ss-body button")];
      buttons.find((button) => button.textContent === wanted).click();
    }, label);
  }
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Runs in the page: short hands on the host's graph for the checks.
function helpers() {
  const { app } = window.comfyAPI.app;
  const widget = (node, name) => node.widgets.find((candidate) => candidate.name === name);
  window.ss = {
    app,
    widget,
    add(type, x, y, values = {}) {
      const node = window.LiteGraph.createNode(type);
      node.pos = [x, y];
      for (const [name, value] of Object.entries(values)) widget(node, name).value = value;
      app.graph.add(node);
      app.canvas.setDirty(true, true);
      return node;
    },
    node: (id) => app.graph.getNodeById(id),
    view: (node) => widget(node, "sigmasmith_curve").element,
    curve: (node) => window.ss.view(node).querySelector(".ss-main")?.getAttribute("points"),
    words: (node) => window.ss.view(node).querySelector(".ss-words").innerText,
    /** A value as a person's edit sets it. */
    edit(node, name, value) {
      const target = widget(node, name);
      const before = target.value;
      target.value = value;
      target.callback?.(value, app.canvas, node);
      node.onWidgetChanged?.(name, value, before, target);
    },
    /** Where a point of the graph is on the screen. */
    place(x, y) {
      const box = app.canvas.canvas.getBoundingClientRect();
      const { scale, offset } = app.canvas.ds;
      return { x: box.left + (x + offset[0]) * scale, y: box.top + (y + offset[1]) * scale };
    },
    /** Drop a file at a place of the screen, after dragging over it. */
    async drop(base64, name, { x, y }) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const send = (kind, target) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], name, { type: "application/octet-stream" }));
        target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, composed: true, clientX: x, clientY: y, dataTransfer }));
      };
      const target = document.elementFromPoint(x, y);
      send("dragenter", target);
      send("dragover", target);
      await new Promise((resolve) => setTimeout(resolve, 200));
      send("drop", target);
    },
  };
}
