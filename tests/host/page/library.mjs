// The library in the sidebar, share codes and dropped files. Files to drop lie in FOLDER/files.
import { readFile, readdir } from "node:fs/promises";
import { check, run, sleep } from "./driver.mjs";

const STOCK = ["portrait mix", "sd3 quick", "turbo list"];

async function drop(tab, file, place) {
  const bytes = await readFile(`${tab.folder}/files/${file}`);
  await tab.in((base64, name, where) => window.ss.drop(base64, name, where), bytes.toString("base64"), file, place ?? { x: 900, y: 700 });
}

run({
  async "the tab lists the presets, those that fit the model in the graph first"(tab) {
    await tab.in(() => {
      const load = window.ss.add("CheckpointLoaderSimple", 350, 50, { ckpt_name: "tiny_sd3.safetensors" });
      const sampler = window.ss.add("KSampler", 700, 50);
      load.connect(0, sampler, 0);
    });
    await tab.openLibrary();
    await tab.untilNames("all presets", STOCK);
    const fits = await tab.in(() => [...document.querySelectorAll(".sigmasmith-library .ss-card")].map((card) => `${card.querySelector(".ss-name").firstChild.textContent}: ${card.querySelector(".ss-fit").textContent}`));
    check(fits[0] === "sd3 quick: fits" && fits[1] === "portrait mix: other model", fits);
    check((await tab.in(() => document.querySelector(".sigmasmith-library .ss-model").textContent)).includes("tiny_sd3"), "the model is not named");
    check((await tab.in(() => document.querySelectorAll(".sigmasmith-library .ss-head svg .ss-main").length)) === 3, "thumbnails are missing");
    await tab.clear();
    await tab.until("no model, after the graph is gone", () => document.querySelector(".sigmasmith-library .ss-model").textContent === "");
  },

  async "a card opens with what the preset was fitted for, its gain, author and licence"(tab) {
    await tab.openLibrary();
    await tab.in(() => document.querySelector(".sigmasmith-library .ss-head").click());
    const facts = await tab.in(() => document.querySelector(".sigmasmith-library .ss-open dl").innerText);
    for (const part of ["Sampler", "Model", "Author", "Licence", "error 2.00x below karras"]) check(facts.includes(part), facts);
    await sleep(300);
    await tab.shoot("library");
  },

  async "a search narrows the list"(tab) {
    await tab.openLibrary();
    await tab.page.type(".sigmasmith-library input[type=search]", "ada");
    await tab.untilNames("one preset", ["portrait mix"]);
    await tab.in(() => {
      const input = document.querySelector(".sigmasmith-library input[type=search]");
      input.value = "";
      input.dispatchEvent(new Event("input"));
    });
    await tab.untilNames("all presets", STOCK);
  },

  async "a preset is put into the graph, and into the selected Load Preset"(tab) {
    await tab.openLibrary();
    await tab.press("sd3 quick", "Use in the graph");
    const id = await tab.until("a new node", () => window.ss.app.graph._nodes.find((node) => node.type === "SigmasmithLoadPreset")?.id);
    check((await tab.in((node) => window.ss.widget(window.ss.node(node), "preset").value, id)) === "sd3 quick", "not set");
    await tab.until("its curve", (node) => /^Fitted for 4, 6, 10 steps/.test(window.ss.words(window.ss.node(node))), id);
    await tab.press("portrait mix", "Use in the graph");
    await tab.until("the same node with the other preset", (node) => window.ss.widget(window.ss.node(node), "preset").value === "portrait mix", id);
    check((await tab.in(() => window.ss.app.graph._nodes.length)) === 1, "a second node was made");
  },

  async "used in a graph of one's own it runs behind what is there, and one undo takes everything back"(tab) {
    const graph = await tab.in(() => {
      const load = window.ss.add("CheckpointLoaderSimple", 350, 450, { ckpt_name: "tiny_sd3.safetensors" });
      const sampler = window.ss.add("KSampler", 800, 450, { steps: 6, scheduler: "karras", sampler_name: "dpmpp_2m" });
      const refiner = window.ss.add("KSampler", 1200, 450, { steps: 6, scheduler: "simple" });
      load.connect(0, sampler, 0);
      load.connect(0, refiner, 0);
      const taken = window.ss.app.extensionManager.workflow?.activeWorkflow?.changeTracker;
      (taken?.captureCanvasState ?? taken?.checkState)?.call(taken);
      return { load: load.id, sampler: sampler.id, refiner: refiner.id };
    });
    const state = () => tab.in(({ sampler, refiner }) => {
      const { node, widget, app } = window.ss;
      const source = (id) => app.graph.getNodeById(app.graph.links.get?.(node(id).inputs[0].link)?.origin_id ?? app.graph.links[node(id).inputs[0].link].origin_id);
      const [one, other] = [sampler, refiner].map((id) => ({ model: source(id).type, scheduler: widget(node(id), "scheduler").value, sampler: widget(node(id), "sampler_name").value }));
      return { nodes: app.graph._nodes.map((entry) => entry.type).sort(), one, other };
    }, graph);
    const before = await state();
    await tab.openLibrary();
    await tab.press("sd3 quick", "Use in the graph");
    await tab.toast(/sd3 quick is in front of KSampler, KSampler/);
    const used = await state();
    check(used.nodes.join() === [...before.nodes, "SigmasmithApply", "SigmasmithLoadPreset"].sort().join(), used);
    const served = { model: "SigmasmithApply", scheduler: "sigmasmith_optimal", sampler: "euler" };
    for (const side of [used.one, used.other]) check(JSON.stringify(side) === JSON.stringify(served), used);
    const boxes = await tab.in(() => window.ss.app.graph._nodes.map(({ pos, size, type }) => [type, pos[0], pos[1], pos[0] + size[0], pos[1] + size[1]]));
    const over = boxes.filter((a) => boxes.some((b) => a !== b && a[1] < b[3] && b[1] < a[3] && a[2] < b[4] && b[2] < a[4]));
    check(over.length === 0, over);
    await sleep(500);
    await tab.shoot("used");
    await tab.press("portrait mix", "Use in the graph");
    await tab.until("the same nodes with the other preset", () => window.ss.app.graph._nodes.length === 5 && window.ss.app.graph._nodes.some((node) => node.type === "SigmasmithLoadPreset" && window.ss.widget(node, "preset").value === "portrait mix"));
    await tab.in(() => window.ss.app.extensionManager.command.execute("Comfy.Undo"));
    await sleep(500);
    await tab.in(() => window.ss.app.extensionManager.command.execute("Comfy.Undo"));
    await sleep(500);
    const undone = await state();
    check(JSON.stringify(undone) === JSON.stringify(before), { before, undone });
  },

  async "cards can be read in a sidebar of 212 pixels, and its label is one line"(tab) {
    await tab.in(() => window.ss.app.extensionManager.setting.set("Comfy.Sidebar.Size", "normal"));
    await tab.openLibrary();
    await sleep(500);
    await tab.shoot("sidebar");
    const label = await tab.in(() => {
      const icon = [...document.querySelectorAll(".sigmasmith-tab-button, [class*=side-bar-button], .side-bar-button")].find((button) => button.textContent.trim() === "Sigmas");
      const text = icon && [...icon.querySelectorAll("*")].filter((part) => part.children.length === 0 && part.textContent.trim() === "Sigmas").pop();
      if (!text) return null;
      const range = document.createRange();
      range.selectNodeContents(text);
      return { lines: new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size, wide: text.scrollWidth, room: text.clientWidth };
    });
    check(label?.lines === 1 && label.wide <= label.room + 1, label);
    await tab.in(() => (document.querySelector(".sigmasmith-library").style.width = "212px"));
    await tab.in(() => document.querySelector(".sigmasmith-library .ss-card:not(.ss-open) .ss-head")?.click());
    await sleep(300);
    const cut = await tab.in(() => {
      const root = document.querySelector(".sigmasmith-library");
      const right = root.getBoundingClientRect().right;
      return [...root.querySelectorAll("button, .ss-name, .ss-line, dt, dd, label, h2")]
        .filter((part) => part.getClientRects().length && (part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0 || part.getBoundingClientRect().right > right + 1))
        .map((part) => part.textContent);
    });
    await tab.shoot("library 212");
    const words = await tab.in(() => Math.min(...[...document.querySelectorAll(".sigmasmith-library .ss-head > div")].map((part) => part.clientWidth)));
    await tab.in(() => (document.querySelector(".sigmasmith-library").style.width = ""));
    check(cut.length === 0, cut);
    check(words >= 140, words);
  },

  async "a preset goes out as a share code and comes in as one"(tab) {
    await tab.openLibrary();
    await tab.page.bringToFront();
    await tab.press("sd3 quick", "Copy share code");
    await tab.toast(/Share code copied/);
    const code = await tab.in(() => navigator.clipboard.readText());
    check(code.startsWith("sigmasmith1:"), code);
    await tab.in(() => [...document.querySelectorAll(".sigmasmith-library header button")].find((button) => button.textContent === "Paste share code").click());
    await tab.dialog(/^(confirm|ok)$/, code);
    await tab.toast(/Preset sd3 quick 2 is in the library/);
    await tab.untilNames("the new preset", [...STOCK, "sd3 quick 2"]);
  },

  async "a wrong share code is refused with the reason"(tab) {
    await tab.openLibrary();
    await tab.in(() => [...document.querySelectorAll(".sigmasmith-library header button")].find((button) => button.textContent === "Paste share code").click());
    await tab.dialog(/^(confirm|ok)$/, "sigmasmith1:abc");
    await tab.toast(/the share code |this is no share code/);
    await tab.untilNames("nothing new", [...STOCK, "sd3 quick 2"]);
  },

  async "a preset is renamed, duplicated, and deleted after a question"(tab) {
    await tab.openLibrary();
    await tab.press("sd3 quick 2", "Rename");
    await tab.dialog(/^(confirm|ok)$/, "fresh name");
    await tab.untilNames("the new name", [...STOCK, "fresh name"]);
    await tab.press("fresh name", "Duplicate");
    await tab.untilNames("a copy", [...STOCK, "fresh name", "fresh name copy"]);
    await tab.press("fresh name copy", "Delete");
    await tab.dialog(/cancel/);
    await sleep(500);
    await tab.untilNames("nothing deleted", [...STOCK, "fresh name", "fresh name copy"]);
    for (const name of ["fresh name copy", "fresh name"]) {
      await tab.press(name, "Delete");
      await tab.dialog(/^delete$/);
      await tab.toast(new RegExp(`${name} is deleted`));
    }
    await tab.untilNames("both deleted", STOCK);
  },

  async "an exported file holds the workflow without the prompt"(tab) {
    const session = await tab.page.createCDPSession();
    await session.send("Page.setDownloadBehavior", { behavior: "allow", downloadPath: `${tab.folder}/downloads` });
    await tab.in(() => window.ss.add("CLIPTextEncode", 400, 50, { text: "my secret prompt" }));
    await tab.openLibrary();
    await tab.in(() => [...document.querySelectorAll(".sigmasmith-library .ss-card")].find((card) => card.querySelector(".ss-name").firstChild.textContent === "sd3 quick").querySelector(".ss-head").click());
    await tab.in(() => document.querySelector(".sigmasmith-library .ss-open input[type=checkbox]").click());
    await tab.in(() => [...document.querySelectorAll(".sigmasmith-library .ss-open button")].find((button) => button.textContent === "Export").click());
    let found = [];
    for (let turn = 0; turn < 100 && !found.includes("sd3 quick.safetensors"); turn++) {
      await sleep(100);
      found = await readdir(`${tab.folder}/downloads`).catch(() => []);
    }
    const text = (await readFile(`${tab.folder}/downloads/sd3 quick.safetensors`)).toString("latin1");
    check(text.includes("CLIPTextEncode") && !text.includes("secret"), "wrong workflow");
  },

  async "a preset file dropped on the page is in the library"(tab) {
    await tab.openLibrary();
    await drop(tab, "good.safetensors");
    await tab.toast(/Preset dropped one is in the library/);
    await tab.untilNames("the new preset", [...STOCK, "dropped one"]);
    check((await tab.in(() => window.ss.app.graph._nodes.length)) === 0, "the graph has changed");
  },

  async "a preset file that carries a workflow offers to open it"(tab) {
    await drop(tab, "with workflow.safetensors");
    await tab.dialog(/cancel|no/);
    await sleep(500);
    check((await tab.in(() => window.ss.app.graph._nodes.length)) === 0, "opened without being asked to");
    await drop(tab, "with workflow.safetensors");
    await tab.dialog(/^(confirm|ok|yes)$/);
    await tab.until("the workflow", () => window.ss.app.graph._nodes.some((node) => node.type === "SigmasmithCosine"));
  },

  async "a bad preset file is refused with a sentence and leaves nothing"(tab) {
    await tab.openLibrary();
    const before = await tab.names();
    await drop(tab, "bad.safetensors");
    await tab.toast(/no preset that Sigmasmith can use/);
    await tab.untilNames("nothing new", before);
  },

  async "other files reach the host as if we were not there"(tab) {
    await tab.in(() => {
      window.seen = [];
      document.addEventListener("drop", (event) => window.seen.push([...event.dataTransfer.files].map((file) => `${file.name} ${file.size}`)), { once: true });
    });
    const before = await tab.in(() => window.seen.length);
    check(before === 0, "seen too early");
    await drop(tab, "latent.safetensors");
    await tab.until("the host's drop", () => window.seen[0]?.[0] === "latent.safetensors 200");
  },

  async "a preset file dropped on Load Preset is loaded by it"(tab) {
    const id = await tab.in(() => window.ss.add("SigmasmithLoadPreset", 400, 100).id);
    await tab.until("the node", (node) => window.ss.view(window.ss.node(node)).isConnected, id);
    await sleep(500);
    const place = await tab.in((node) => window.ss.place(window.ss.node(node).pos[0] + 60, window.ss.node(node).pos[1] - 12), id);
    await drop(tab, "for a node.safetensors", place);
    await tab.until("the preset in the node", (node) => window.ss.widget(window.ss.node(node), "preset").value === "for a node", id);
    await tab.until("its curve", (node) => /^Fitted for 3 steps/.test(window.ss.words(window.ss.node(node))), id);
    await tab.shoot("dropped");
  },

  async "the curve of a file that was replaced elsewhere is the new one"(tab) {
    const post = (path, body) => tab.in(async (where, what) => {
      const reply = await fetch(`/sigmasmith/library/${where}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });
      if (!reply.ok) throw new Error(await reply.text());
      return (await reply.json()).name;
    }, path, body);
    const id = await tab.in(() => window.ss.add("SigmasmithLoadPreset", 400, 100).id);
    const load = (name) => tab.in((node, preset) => window.ss.edit(window.ss.node(node), "preset", preset), id, name);
    const shows = (steps) => tab.until(`the curve of ${steps} steps`, (node, count) => window.ss.words(window.ss.node(node)).startsWith(`Fitted for ${count} steps`), id, steps);
    await load("for a node");
    await shows("3");
    const spare = await post("duplicate", { name: "for a node" });
    await load("sd3 quick");
    await shows("4, 6, 10");
    await post("delete", { name: "for a node" });
    await post("rename", { name: await post("duplicate", { name: "dropped one" }), to: "for a node" });
    await load("for a node");
    await shows("6");
    await post("delete", { name: "for a node" });
    await post("rename", { name: spare, to: "for a node" });
    await tab.in(() => window.ss.app.extensionManager.command.execute("Comfy.RefreshNodeDefinitions"));
    await shows("3");
  },

  async "a preset that was dropped runs, and what is saved by it shows in the library"(tab) {
    await tab.openLibrary();
    // The host validates the name against the list that it reads itself.
    const error = await tab.in(async () => {
      const node = window.ss.add("SigmasmithLoadPreset", 400, 100);
      window.ss.edit(node, "preset", "for a node");
      const schedule = window.ss.add("SigmasmithSchedule", 750, 100, { steps: 3 });
      const save = window.ss.add("SigmasmithSavePreset", 750, 500, { name: "run copy" });
      node.connect(0, schedule, 0);
      node.connect(0, save, 0);
      const { output } = await window.ss.app.graphToPrompt();
      const body = { prompt: output, client_id: window.comfyAPI.api.api.clientId };
      const reply = await fetch("/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      return reply.ok ? null : await reply.text();
    });
    check(error === null, error);
    await tab.until("the saved preset", () => [...document.querySelectorAll(".sigmasmith-library .ss-name")].some((name) => name.firstChild.textContent === "run copy"));
  },
});
