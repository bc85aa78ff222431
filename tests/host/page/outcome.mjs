// What a node says and shows after a run: from an own graph to a used fit by Auto, before and after, tables, words that fit.
import { check, opened, run, sleep } from "./driver.mjs";
import { queueAndWait } from "./queue.mjs";

/** A graph as people have it: text to image, without anything of ours. */
function ownGraph(tab) {
  return tab.in(() => {
    const { add } = window.ss;
    const load = add("CheckpointLoaderSimple", 20, 50, { ckpt_name: "tiny_sd3.safetensors" });
    const [positive, negative] = [add("CLIPTextEncode", 20, 220, { text: "a house" }), add("CLIPTextEncode", 20, 460)];
    const latent = add("EmptySD3LatentImage", 20, 700, { width: 64, height: 64 });
    const sampler = add("KSampler", 1300, 50, { steps: 5, cfg: 4, sampler_name: "euler", scheduler: "karras", seed: 3 });
    const decode = add("VAEDecode", 1300, 500);
    const save = add("SaveImage", 1300, 600);
    for (const [from, out, to, slot] of [[load, 0, sampler, 0], [load, 1, positive, 0], [load, 1, negative, 0], [positive, 0, sampler, 1], [negative, 0, sampler, 2], [latent, 0, sampler, 3], [sampler, 0, decode, 0], [load, 2, decode, 1], [decode, 0, save, 0]]) from.connect(out, to, slot);
    return { load: load.id, positive: positive.id, negative: negative.id, latent: latent.id, sampler: sampler.id };
  });
}

/** Every text of our views that is cut off. */
function cutTexts(tab) {
  return tab.in(() => [...document.querySelectorAll(".sigmasmith-outcome")].flatMap((view) => {
    const box = view.getBoundingClientRect();
    const pen = document.createElement("canvas").getContext("2d");
    const narrow = [...view.querySelectorAll("select")].filter((select) => {
      pen.font = getComputedStyle(select).font;
      return pen.measureText(select.selectedOptions[0].textContent).width > select.clientWidth - 20; // its arrow
    });
    const cut = [...view.querySelectorAll("p, td, th, button, .ss-said, .ss-error")]
      .filter((element) => element.textContent && element.getClientRects().length)
      .filter((element) => {
        const { right, bottom } = element.getBoundingClientRect();
        return element.scrollWidth > element.clientWidth + 1 || right > box.right + 1 || (bottom > box.bottom + 1 && !element.closest(".ss-table"));
      })
      .map((element) => element.textContent);
    return [...cut, ...narrow.map((select) => select.selectedOptions[0].textContent)];
  }));
}

await run({
  async "from an own graph to a used fit takes four actions with Auto"(tab) {
    const ids = await ownGraph(tab);
    let actions = 0;
    const act = async (...given) => {
      actions += 1;
      return tab.in(...given);
    };
    const auto = await act(() => window.ss.add("SigmasmithAuto", 700, 50).id);
    await act((load, node) => window.ss.node(load).connect(0, window.ss.node(node), 0), ids.load, auto);
    await act((node, sampler) => window.ss.node(node).connect(0, window.ss.node(sampler), 0), auto, ids.sampler);
    actions += 1;
    await queueAndWait(tab);
    await tab.until("what ran, below Auto", () => /5 steps of the preset auto\/tiny_sd3, 5 steps, cfg 4/.test(document.querySelector(".ss-said")?.textContent));
    await tab.until("its curve", (node) => window.ss.curve(window.ss.node(node)), auto);
    check(actions <= 4, actions);
    tab.figures.actions = actions;
    await tab.until("it is said once", () => [...document.querySelectorAll(".ss-summary, .ss-said")].filter((line) => line.getClientRects().length && line.textContent.includes("5 steps of the preset auto/tiny_sd3")).length === 1);
    await tab.until("before and after", () => [...document.querySelectorAll(".ss-stage img")].length === 2 && [...document.querySelectorAll(".ss-stage img")].every((image) => image.naturalWidth));
    await sleep(500);
    check((await cutTexts(tab)).length === 0, await cutTexts(tab));
    await tab.shoot("auto");
  },

  async "a node grows by its words as they are laid out, not by those of an element without a width"(tab) {
    const auto = await tab.in(() => {
      const { id } = window.ss.add("SigmasmithAuto", 700, 50);
      const said = { node: String(id), text: "Tuning takes about four minutes on this machine. ".repeat(5), done: 0.1 };
      window.comfyAPI.api.api.dispatchEvent(new CustomEvent("sigmasmith.status", { detail: said }));
      return id;
    });
    await tab.until("its words", () => document.querySelector(".sigmasmith-outcome .ss-said")?.getClientRects().length);
    await tab.in(() => (document.querySelector(".sigmasmith-outcome").style.width = "0"));
    await sleep(800);
    await tab.in(() => (document.querySelector(".sigmasmith-outcome").style.width = ""));
    await sleep(800);
    const high = await tab.in((id) => window.ss.node(id).size[1], auto);
    check(high < 800, high);
  },

  async "a fit shows before and after behind a slider, and its report as a table"(tab) {
    const ids = await ownGraph(tab);
    const fit = await tab.in((given) => {
      const { add, node } = window.ss;
      const made = add("SigmasmithFit", 500, 50, { steps: "5, 8", effort: "quick", name: "page fit", cfg: 4 });
      node(given.load).connect(0, made, 0);
      node(given.positive).connect(0, made, 1);
      node(given.negative).connect(0, made, 2);
      node(given.latent).connect(0, made, 3);
      node(given.load).connect(2, made, made.inputs.findIndex((input) => input.name === "vae"));
      window.ss.widget(made, "refit").value = true;
      return made.id;
    }, ids);
    await tab.in(() => {
      // From the end of the node to its pictures on the screen; the fit's own runs are in the time that it states.
      const { api } = window.comfyAPI.api;
      api.addEventListener("executed", () => (window.ended ??= performance.now()));
      const watch = () => {
        const images = [...document.querySelectorAll(".ss-stage img")];
        if (window.ended && images.length === 2 && images.every((image) => image.complete && image.naturalWidth)) window.seen = performance.now();
        else requestAnimationFrame(watch);
      };
      watch();
    });
    await queueAndWait(tab);
    await tab.until("both pictures", () => [...document.querySelectorAll(".ss-stage img")].filter((image) => image.naturalWidth).length === 2);
    tab.figures.pictures_after_the_fit_ms = Math.round(await tab.until("the time of the pictures", () => window.seen && window.seen - window.ended));
    const seen = await tab.in(() => ({
      labels: [...document.querySelectorAll(".ss-side select")].map((select) => select.selectedOptions[0].textContent),
      choices: [...document.querySelector(".ss-side select").options].map((option) => option.textContent),
      errors: [...document.querySelectorAll(".ss-side .ss-error")].map((error) => error.textContent),
      heads: [...document.querySelectorAll(".ss-table th")].map((head) => head.textContent),
      cells: [...document.querySelectorAll(".ss-table td")].map((cell) => cell.textContent),
    }));
    check(seen.labels[0] === "until now: euler, karras" && seen.labels[1].startsWith("fitted: "), seen);
    check(seen.choices[0] === "reference" && seen.errors.every((text) => /^error [0-9.]+/.test(text)), seen);
    check(seen.heads.join() === "steps,returned,best host schedule,gain" && seen.cells[0] === "5", seen);
    check((await tab.in((id) => window.ss.widget(window.ss.node(id), "refit").value, fit)) === false, "refit stayed on");
    const before = await tab.in(() => getComputedStyle(document.querySelector(".ss-over")).clipPath);
    await tab.in(() => {
      const slider = document.querySelector(".ss-stage input");
      slider.value = 20;
      slider.dispatchEvent(new Event("input"));
    });
    check((await tab.in(() => getComputedStyle(document.querySelector(".ss-over")).clipPath)) !== before, before);
    for (const palette of ["light", "dark"]) {
      await tab.in((name) => window.ss.app.extensionManager.setting.set("Comfy.ColorPalette", name), palette);
      await sleep(500);
      check((await cutTexts(tab)).length === 0, await cutTexts(tab));
      await tab.shoot(`fit ${palette}`);
    }
  },

  async "advanced inputs fold away, and the node fits a screen"(tab) {
    const fit = await tab.in(() => window.ss.add("SigmasmithFit", 300, 50).id);
    await sleep(800);
    const state = () => tab.in((id) => {
      const node = window.ss.node(id);
      const shown = (name) => !window.ss.widget(node, name).hidden;
      return { cfg: shown("cfg"), effort: shown("effort"), height: node.size[1], needs: node.computeSize()[1] };
    }, fit);
    const folded = await state();
    await tab.shoot("folded");
    if (tab.renderer === "classic") {
      check(folded.cfg && !folded.effort && folded.height < 640, folded);
      await tab.in((id) => window.ss.widget(window.ss.node(id), "sigmasmith_more").callback(), fit);
      const open = await state();
      check(open.effort && open.height > folded.height && open.height >= open.needs, { folded, open });
      await tab.in((id) => window.ss.widget(window.ss.node(id), "sigmasmith_more").callback(), fit);
      check((await state()).height === folded.height, await state());
    } else {
      const high = await tab.in((id) => document.querySelector(`[data-node-id="${id}"]`).offsetHeight, fit);
      check(high < 860, high);
      check(!(await tab.in(() => document.body.innerText.includes("More inputs"))), "a second button in Nodes 2.0");
    }
    const { values, saved } = await tab.in(async (id) => {
      const { output } = await window.ss.app.graphToPrompt();
      const node = window.ss.app.graph.serialize().nodes.find((entry) => String(entry.id) === String(id));
      return { values: Object.keys(output[id].inputs), saved: node.widgets_values.filter((value) => value !== undefined) };
    }, fit);
    check(values.includes("effort") && values.includes("denoise") && !values.includes("sigmasmith_more"), values);
    check(saved[3] === 4 && saved[4] === "fast", saved);
  },

  async "the numbers of a second model are there as soon as it is connected"(tab) {
    const fit = await tab.in(() => {
      const [low, made] = [window.ss.add("CheckpointLoaderSimple", 20, 50), window.ss.add("SigmasmithFit", 400, 50)];
      window.low = low;
      return made.id;
    });
    const seen = () => tab.in((id, vue) => {
      const node = window.ss.node(id);
      const labels = [...document.querySelectorAll(`[data-node-id="${id}"] *`)].filter((entry) => !entry.children.length && entry.getClientRects().length).map((entry) => entry.textContent.trim());
      const there = (name) => (vue ? labels.includes(name) : !window.ss.widget(node, name).hidden);
      return { cfg: there("cfg"), boundary: there("boundary"), cfg_low: there("cfg_low"), effort: there("effort"), room: node.size[1] - node.computeSize()[1] };
    }, fit, tab.renderer === "vue");
    await sleep(800);
    const alone = await seen();
    check(alone.cfg && !alone.boundary && !alone.cfg_low, alone);
    await tab.in((id) => window.low.connect(0, window.ss.node(id), window.ss.node(id).inputs.findIndex(({ name }) => name === "model_low")), fit);
    await sleep(800);
    const pair = await seen();
    await tab.shoot("two models");
    check(pair.boundary && pair.cfg_low && !pair.effort && pair.room >= 0, { alone, pair });
  },

  async "every text of the curves fits its node, dark and light"(tab) {
    await tab.in(() => {
      const { add } = window.ss;
      const load = add("CheckpointLoaderSimple", 20, 50, { ckpt_name: "tiny_sd3.safetensors" });
      const preset = add("SigmasmithLoadPreset", 20, 220, { preset: "sd3 quick" });
      const [apply, auto] = [add("SigmasmithApply", 380, 50), add("SigmasmithAuto", 740, 50)];
      const [one, two] = [add("KSampler", 380, 560, { steps: 6, scheduler: "karras" }), add("KSampler", 740, 560, { steps: 6, cfg: 9 })];
      const [schedule, curve] = [add("SigmasmithSchedule", 1100, 50, { steps: 7, denoise: 0.5 }), add("SigmasmithCurve", 1100, 560, { steps: 12 })];
      for (const [from, to, slot] of [[load, apply, 0], [preset, apply, 1], [apply, one, 0], [load, auto, 0], [auto, two, 0], [preset, schedule, 0], [load, curve, 0]]) from.connect(0, to, slot);
      window.ss.app.canvas.ds.scale = 1;
      window.ss.app.canvas.ds.offset = [0, 0];
    });
    await tab.until("all curves", () => document.querySelectorAll(".sigmasmith-curve .ss-main").length === 5);
    for (const palette of ["light", "dark"]) {
      await tab.in((name) => window.ss.app.extensionManager.setting.set("Comfy.ColorPalette", name), palette);
      await sleep(800);
      const cut = await tab.in(() => [...document.querySelectorAll(".sigmasmith-curve")].flatMap((view) => {
        const box = view.getBoundingClientRect();
        const words = view.querySelector(".ss-words");
        const inside = ({ left, right, top, bottom }) => left >= box.left - 1 && right <= box.right + 1 && top >= box.top - 1 && bottom <= box.bottom + 1;
        const texts = [...view.querySelectorAll("p, svg text")].filter((text) => !text.closest(".ss-hover") && text.textContent);
        const outside = texts.filter((text) => !inside(text.getBoundingClientRect()) || text.scrollWidth > text.clientWidth + 1 && text.clientWidth);
        return [...outside.map((text) => text.textContent), ...(words.scrollHeight > words.clientHeight + 1 ? [`scrolls: ${words.innerText}`] : [])];
      }));
      await tab.shoot(`curves ${palette}`);
      check(cut.length === 0, cut);
    }
  },

  async "no label and no value of a node of ours is cut"(tab) {
    const types = await tab.in(() => Object.keys(window.LiteGraph.registered_node_types).filter((type) => type.startsWith("Sigmasmith")));
    check(types.length === 25, types);
    await tab.in((all) => {
      all.forEach((type, index) => window.ss.add(type, 450 * (index % 9), 800 * Math.floor(index / 9)));
      // Far away the hosts draw no words at all.
      window.ss.app.canvas.ds.scale = 1;
    }, types);
    const cut = [];
    for (let row = 0; row < 3; row += 1) {
      for (let column = 0; column < 9; column += 3) {
        await tab.in((at) => {
          // What the classic canvas cuts it draws with an ellipsis.
          const { prototype } = CanvasRenderingContext2D;
          const { fillText } = window.plainText ? { fillText: window.plainText } : prototype;
          window.plainText = fillText;
          window.drawn = new Set();
          prototype.fillText = function (text, ...place) {
            if (String(text).includes("\u2026")) window.drawn.add(text);
            return fillText.call(this, text, ...place);
          };
          window.ss.app.canvas.ds.offset = at;
          window.ss.app.canvas.setDirty(true, true);
        }, [80 - 450 * column, 60 - 800 * row]);
        await sleep(700);
        cut.push(...(await tab.in((vue) => {
          if (!vue) return [...window.drawn];
          const leaves = [...document.querySelectorAll("[data-node-id] *")].filter((entry) => !entry.children.length && entry.textContent.trim() && entry.getClientRects().length);
          return leaves.filter((entry) => entry.clientWidth && entry.scrollWidth > entry.clientWidth + 1).map((entry) => entry.textContent.trim());
        }, tab.renderer === "vue")));
      }
    }
    await tab.in(() => (CanvasRenderingContext2D.prototype.fillText = window.plainText));
    check(cut.length === 0, cut);
  },

  async "a fit that runs has a card in the library, and one that was interrupted a button to go on"(tab) {
    const fit = await tab.in(() => window.ss.add("SigmasmithFit", 400, 50).id);
    const tell = (detail) => tab.in((node, more) => window.comfyAPI.api.api.dispatchEvent(new CustomEvent("sigmasmith.status", { detail: { node: String(node), ...more } })), fit, detail);
    const end = (kind) => tab.in((name) => window.comfyAPI.api.api.dispatchEvent(new CustomEvent(name, { detail: { prompt_id: "none", node_id: String(0) } })), kind);
    await tell({ text: "race 3 of 8, 40 %, about 2 minutes left", done: 0.4 });
    await tab.openLibrary();
    const card = () => tab.in(() => {
      const found = document.querySelector(".ss-status");
      return found && { text: found.innerText, done: found.querySelector(".ss-bar").style.getPropertyValue("--ss-done"), button: found.querySelector("button")?.textContent ?? null };
    });
    const running = await card();
    check(running?.text.includes("about 2 minutes left") && running.done === "40%" && running.button === null, running);
    await tell({ text: "Interrupted at 40 %: kept, and goes on from there when queued again.", done: 0.4, kept: true });
    await end("execution_interrupted");
    const kept = await card();
    check(kept?.button === "Go on", kept);
    check((await tab.in(() => document.querySelector(".sigmasmith-outcome .ss-first").textContent)) === "Go on", "no button in the node");
    await sleep(300);
    await tab.shoot("status card");
    await tell({ text: "race 4 of 8, 50 %", done: 0.5 });
    await end("execution_success");
    check((await card()) === null, await card());
  },

  async "another page sees nothing of it"(tab) {
    const other = await tab.page.browser().newPage();
    await other.goto(tab.url, { waitUntil: "domcontentloaded" });
    await opened(other);
    await other.evaluate(() => {
      const { app } = window.comfyAPI.app;
      window.heard = [];
      for (const kind of ["message", "status", "pictures"]) window.comfyAPI.api.api.addEventListener(`sigmasmith.${kind}`, ({ detail }) => window.heard.push(detail));
      app.graph.add(window.LiteGraph.createNode("SigmasmithAuto"));
    });
    await tab.page.bringToFront();
    const ids = await ownGraph(tab);
    await tab.in((load, sampler) => {
      const auto = window.ss.add("SigmasmithAuto", 700, 50);
      window.ss.node(load).connect(0, auto, 0);
      auto.connect(0, window.ss.node(sampler), 0);
      window.ss.widget(window.ss.node(sampler), "cfg").value = 6;
    }, ids.load, ids.sampler);
    await queueAndWait(tab);
    await tab.until("what ran, on the page that queued", () => /cfg 6/.test(document.querySelector(".ss-said")?.textContent));
    check((await other.evaluate(() => window.heard.length)) === 0, await other.evaluate(() => window.heard));
    check((await other.evaluate(() => document.querySelectorAll(".sigmasmith-outcome").length)) === 0, "a view on the other page");
    await other.close();
  },
});
