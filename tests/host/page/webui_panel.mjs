// The panel on the page of a WebUI: an idle page, Fit now, what a fit sets, F5.
import { check, run, sleep } from "./webui_driver.mjs";

const CLICKS = 10;
const panel = (part, tab = "txt2img") => `script_${tab}_sigmasmith_${part}`;

async function idle(tab) {
  await tab.quiet();
  tab.requests.length = 0;
  await sleep(10_000);
  return [...tab.requests];
}

await run({
  async "an idle page sends nothing"(tab) {
    const sent = await idle(tab);
    tab.figures.idle = sent.length;
    check(sent.length === 0, sent);
  },

  async "after an ordinary image the page is idle again"(tab) {
    await tab.generate();
    const sent = await idle(tab);
    tab.figures.idleAfterImage = sent.length;
    check(sent.length === 0, sent);
  },

  async "ten clicks on Fit now make ten fits"(tab) {
    await tab.choose("txt2img_sampling", "Euler");
    let fits = 0;
    // All but the last are interrupted once they run, which the panel says with their step count.
    for (let click = 0; click < CLICKS - 1; click += 1) {
      await tab.type(panel("steps"), `${click + 4}`);
      // The bar of the run before stays for a moment; an Interrupt on seeing that one would come too early.
      await tab.until("the page is ready", () => !document.querySelector(".progressDiv") && document.getElementById("txt2img_skip").style.display !== "block");
      await tab.click(panel("fit_now"));
      await tab.until("a fit runs", () => document.querySelector("#txt2img_gallery_container .progress, #txt2img_results .progress")?.innerText.includes("Sigmasmith:"));
      await tab.click("txt2img_interrupt");
      await tab.until("the panel says so", (id, said) => document.getElementById(id).innerText.includes(said), panel("last_run"), `(Euler, ${click + 4} steps)`);
      fits += 1;
    }
    await tab.type(panel("steps"), "3");
    await tab.type(panel("name"), "click 9");
    await tab.generate(panel("fit_now"));
    await tab.until("the report", (id) => document.getElementById(id).innerText.includes("Saved as click 9."), panel("last_run"));
    tab.figures.fits = fits + 1;
  },

  async "after a fit the page uses it and says so, and Generate makes an image"(tab) {
    check((await tab.shown("txt2img_scheduler")) === "Sigmasmith Optimal", await tab.shown("txt2img_scheduler"));
    check((await tab.shown(panel("preset"))) === "click 9", await tab.shown(panel("preset")));
    check((await tab.text("last_run")).includes("Chosen now: preset click 9"), await tab.text("last_run"));
    await tab.shoot("after a fit");
    await tab.generate();
    check((await tab.in(() => document.getElementById("html_info_txt2img").innerText)).includes("Sigmasmith preset: click 9 ("), "the infotext");
    check(!(await tab.text("last_run")).includes("Fitted"), "Generate fitted again");
  },

  async "another preset stays chosen after the next image"(tab) {
    const other = "None (the family)";
    await tab.choose(panel("preset"), other);
    await tab.generate();
    await tab.quiet();
    check((await tab.shown(panel("preset"))) === other, await tab.shown(panel("preset")));
    check((await tab.text("will_run")).includes("family's list"), await tab.text("will_run"));
    const below = await tab.in(() => document.getElementById("html_log_txt2img").innerText);
    check(!below.includes("family's list"), below); // said in the panel before the run, and in the log
  },

  async "the coefficients of Sigmasmith Multistep are fitted, used and said"(tab) {
    await tab.choose("txt2img_sampling", "Sigmasmith Multistep");
    await tab.choose("txt2img_scheduler", "Automatic");
    await tab.type(panel("steps"), "4");
    await tab.type(panel("name"), "coefficients");
    await tab.generate(panel("fit_now"));
    await tab.until("the report", (id) => document.getElementById(id).innerText.includes("Saved as coefficients."), panel("last_run"));
    const said = await tab.text("last_run");
    check(said.includes("sampling method Sigmasmith Multistep, 4 steps"), said);
    check((await tab.shown("txt2img_scheduler")) === "Sigmasmith Optimal", "the schedule type");
    check((await tab.shown("txt2img_steps")) === "4", "the steps");
    await tab.generate();
    const below = await tab.in(() => document.getElementById("html_log_txt2img").innerText);
    check(below && !below.includes("runs as dpmpp_2m"), below);
  },

  async "F5 offers the presets that were made since the host started"(tab) {
    await tab.open();
    const offered = await tab.offered(panel("preset"));
    check(offered.includes("click 9") && offered.includes("Match the checkpoint"), offered);
    const sent = await idle(tab);
    check(sent.length === 0, sent);
  },

  async "a schedule type that the sampler asks for is called as the list calls it"(tab) {
    await tab.choose("txt2img_sampling", "DPM++ 2M");
    await tab.choose("txt2img_scheduler", "Automatic");
    await tab.quiet();
    const said = await tab.text("will_run");
    check(said.includes("The schedule type is Karras."), said);
  },

  async "the closed lists are whole after a fit"(tab) {
    const offered = await tab.offered("txt2img_scheduler");
    check(offered.includes("Karras") && offered.includes("Automatic"), offered);
  },

  async "the panel fits one screen and no line runs off its edge"(tab) {
    const sizes = await tab.in((id) => {
      const box = document.getElementById(id);
      return { height: box.getBoundingClientRect().height, over: [...box.querySelectorAll("pre, p")].filter((line) => line.scrollWidth > line.clientWidth + 1).map((line) => line.innerText.slice(0, 80)) };
    }, panel("panel"));
    tab.figures.panelHeight = Math.round(sizes.height);
    await tab.shoot("panel", `#${panel("panel")}`);
    check(sizes.over.length === 0, sizes.over);
  },
});
