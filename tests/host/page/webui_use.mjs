// What a person does with the panel of a WebUI after the first fit: resume, paste, share, grid, img2img, compare, library.
import { check, run, sleep } from "./webui_driver.mjs";

const panel = (part, tab = "txt2img") => `script_${tab}_sigmasmith_${part}`;
const NAME = "of the page";
const said = (tab, text, within = "txt2img") => tab.until(`the panel says ${text}`, (id, wanted) => document.getElementById(id).innerText.includes(wanted), panel("last_run", within), text);
const infotext = (tab, within = "txt2img") => tab.in((id) => document.getElementById(id).innerText.trim(), `html_info_${within}`);
const presetIn = (text) => /Sigmasmith preset: (.*?) \(/.exec(text)?.[1];
const sigmasIn = (text) => /Sigmasmith sigmas: "?(sigmasmith1:[^",\s]+)/.exec(text)?.[1];

async function write(tab, part, text) {
  await tab.type(panel(part), text);
}

await run({
  async "an interrupted fit goes on and is saved"(tab) {
    await tab.choose("txt2img_sampling", "Euler");
    await write(tab, "steps", "5");
    await write(tab, "name", NAME);
    await tab.click(panel("fit_now"));
    await tab.until("the fit runs", () => document.querySelector("#txt2img_gallery_container .progress, #txt2img_results .progress")?.innerText.includes("Sigmasmith:"));
    await sleep(3000);
    await tab.click("txt2img_interrupt");
    await said(tab, "The fit was interrupted (Euler, 5 steps)");
    await tab.until("the page is ready", () => !document.querySelector(".progressDiv") && document.getElementById("txt2img_skip").style.display !== "block");
    await tab.generate(panel("fit_now"));
    await said(tab, `Saved as ${NAME}.`);
    await tab.shoot("fitted");
  },

  async "a pasted infotext brings its preset back"(tab) {
    await tab.generate();
    const made = await infotext(tab);
    check(presetIn(made) === NAME, made);
    tab.figures.sigmas = sigmasIn(made);
    await tab.choose(panel("preset"), "None (the family)");
    await tab.choose("txt2img_scheduler", "Karras");
    await tab.type("txt2img_prompt", made);
    await tab.click("paste");
    await tab.until("the schedule type", () => document.querySelector("#txt2img_scheduler input").value === "Sigmasmith Optimal");
    await tab.until("the preset", (id, name) => document.querySelector(`#${id} input`).value === name, panel("preset"), NAME);
    await tab.type("txt2img_prompt", ""); // Neo leaves the pasted text there, the other hosts set the image's prompt
    await tab.generate();
    check(sigmasIn(await infotext(tab)) === tab.figures.sigmas, await infotext(tab));
  },

  async "a share code carries the very sigmas"(tab) {
    await tab.open_tab("Library");
    await tab.click(panel("export"));
    const code = await tab.until("the code", (id) => document.querySelector(`#${id} textarea, #${id} input`)?.value || null, panel("exported"));
    check(code.startsWith("sigmasmith1:"), code);
    await write(tab, "code", code);
    await tab.choose(panel("preset"), "Share code below");
    await tab.generate();
    const made = await infotext(tab);
    check(made.includes("Sigmasmith preset: "), made);
    check(sigmasIn(made) === tab.figures.sigmas, made);
    await tab.choose(panel("preset"), NAME);
  },

  async "the grid goes over presets"(tab) {
    const x = "script_txt2img_xyz_plot_x_type";
    await tab.choose("tab_txt2img #script_list", "X/Y/Z plot");
    await tab.choose(x, "Sigmasmith preset");
    await sleep(1000);
    // The button of the first axis; hosts give it the same id in both tabs.
    await tab.in(() => document.querySelector("#tab_txt2img #xyz_grid_fill_x_tool_button, #tab_txt2img [id$=fill_x_tool_button]").click());
    await sleep(2000);
    await tab.generate();
    await tab.quiet();
    await tab.shoot("grid");
    const images = await tab.in(() => document.querySelectorAll("#txt2img_gallery img").length);
    check(images > 0, "the grid shows no image");
    const text = await tab.in(() => document.getElementById("html_info_txt2img").innerText);
    check(/Sigmasmith preset/.test(text), text);
    await tab.choose("tab_txt2img #script_list", "None");
    await sleep(1000);
  },

  async "Compare says what is better and shows it"(tab) {
    await tab.open_tab("Compare");
    await write(tab, "compared_steps", "5");
    await write(tab, "seeds", "2");
    await tab.shoot("compare tab", `#${panel("panel")}`);
    await tab.generate(panel("compare_now"));
    await said(tab, "Up to 5 model calls:");
    const report = await tab.text("last_run");
    check(report.includes("Karras") && report.includes("Sigmasmith Optimal"), report);
    await tab.shoot("compared");
    const text = await infotext(tab);
    check(text.includes("Sigmasmith compared: "), text);
    const images = await tab.in(() => document.querySelectorAll("#txt2img_gallery .thumbnails img, #txt2img_gallery .grid-container img").length);
    check(images >= 2, `${images} pictures`);
  },

  async "the library is searched, a preset is renamed and deleted"(tab) {
    await tab.open_tab("Library");
    await tab.until("the list", (id, name) => document.getElementById(id).innerText.includes(name), panel("list"), NAME);
    await tab.shoot("library", `#${panel("panel")}`);
    await write(tab, "new_name", "another name");
    await tab.click(panel("rename"));
    await tab.until("the new name", (id) => document.querySelector(`#${id} input`).value === "another name", panel("preset"));
    await tab.until("the new name in the list", (id) => document.getElementById(id).innerText.includes("another name"), panel("list"));
    await tab.page.click(`#${panel("search")} textarea, #${panel("search")} input`);
    await tab.page.keyboard.type("no such preset");
    await tab.page.keyboard.press("Enter");
    await tab.until("nothing is found", (id) => document.getElementById(id).innerText.includes("0 of "), panel("list"));
    await tab.click(panel("delete"));
    await tab.until("it is gone", (id) => document.getElementById(id).innerText.includes("another name is deleted."), panel("message"));
    check(!(await tab.offered(panel("preset"))).includes("another name"), "it is still offered");
  },

  async "in img2img a fit is made for its denoising strength"(tab) {
    await tab.choose("txt2img_scheduler", "Karras");
    await tab.generate();
    await tab.in(() => document.getElementById("txt2img_send_to_img2img").click());
    await tab.until("the tab", () => document.getElementById("img2img_generate")?.offsetParent !== null);
    await tab.quiet();
    await tab.choose("img2img_sampling", "Euler");
    await tab.type(panel("steps", "img2img"), "6");
    await tab.type(panel("name", "img2img"), "for changes");
    await tab.type("img2img_denoising_strength", "0.5");
    await tab.generate(panel("fit_now", "img2img"), "img2img");
    await said(tab, "Saved as for changes.", "img2img");
    check((await tab.text("last_run", "img2img")).includes("denoising strength 0.5"), await tab.text("last_run", "img2img"));
    await tab.shoot("img2img");
    await tab.generate("img2img_generate", "img2img");
    check(presetIn(await infotext(tab, "img2img")) === "for changes", await infotext(tab, "img2img"));
  },

  async "after Reload UI everything is there once and a fit starts"(tab) {
    await tab.in(() => document.getElementById("settings_restart_gradio").click());
    await sleep(5000);
    await tab.until("the page comes back", () => document.getElementById("txt2img_generate") && document.getElementById("script_txt2img_sigmasmith_fit_now"));
    await tab.opened();
    const offered = await tab.offered("txt2img_scheduler");
    check(offered.filter((name) => name.startsWith("Sigmasmith")).length === 3, offered);
    await tab.choose("txt2img_sampling", "Euler");
    await write(tab, "steps", "7");
    await tab.click(panel("fit_now"));
    await tab.until("a fit runs", () => document.querySelector("#txt2img_gallery_container .progress, #txt2img_results .progress")?.innerText.includes("Sigmasmith:"));
    await tab.click("txt2img_interrupt");
    await said(tab, "(Euler, 7 steps)");
  },
});
