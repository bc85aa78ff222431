// The library in the sidebar: what is there, and what can be done with it. Python decides what fits and what is known.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { ask, askBlob, askText, confirmed, copyCode, news, rootGraph, tell, tellProblem } from "./host.mjs";
import { addFile, offerWorkflow } from "./drop.mjs";
import { modelOfGraph } from "./graph.mjs";
import { cardElement, statusElement } from "./library_card.mjs";
import { matches } from "./library_search.mjs";
import { usePreset } from "./use_preset.mjs";
import { make } from "./curve_view.mjs";
import { say } from "./words.mjs";

const SEARCH_FROM = 2; // presets from which a search field is of use

export class LibraryPanel {
  /**
   * @param changed to be called when files have changed.
   * @param fits gives what runs or waits to go on, by node id; goOn lets it.
   */
  constructor(element, { changed, fits, goOn }) {
    Object.assign(this, { changed, fits, goOn });
    this.presets = [];
    this.total = this.left = 0; // presets there are, and those of them that a search finds and the page does not hold
    this.open = null;
    this.mayRemove = true;
    this.root = make("section", "sigmasmith sigmasmith-library");
    this.root.setAttribute("aria-label", say("presets"));
    this.root.append(this.header(), (this.running = make("ul", "ss-running")), (this.list = make("ul", "ss-list")));
    element.replaceChildren(this.root);
    element.style.height = "100%";
    this.reload = () => void this.load();
    this.graphChanged = () => {
      if (JSON.stringify(this.chain()) !== this.shownFor) this.reload();
    };
    // Fits and Save nodes write presets; drops on the page do as well.
    api.addEventListener("execution_success", this.reload);
    api.addEventListener("graphChanged", this.graphChanged);
    news.addEventListener("graph", this.graphChanged);
    news.addEventListener("library", this.reload);
    this.showFits = () => this.running.replaceChildren(...[...this.fits.values()].map((fit) => statusElement(fit, this.goOn)));
    news.addEventListener("fits", this.showFits);
    this.showFits();
    this.reload();
  }

  destroy() {
    api.removeEventListener("execution_success", this.reload);
    api.removeEventListener("graphChanged", this.graphChanged);
    news.removeEventListener("graph", this.graphChanged);
    news.removeEventListener("library", this.reload);
    news.removeEventListener("fits", this.showFits);
    this.root.remove();
  }

  header() {
    const header = make("header");
    this.search = make("input");
    this.search.type = "search";
    this.search.placeholder = say("searchPresets");
    this.search.title = say("searchHint");
    this.search.setAttribute("aria-label", say("searchPresets"));
    this.search.addEventListener("input", () => {
      this.render();
      if (this.total > this.presets.length) this.reload(); // the page holds a part; Python searches among all
    });
    const tools = make("div", "ss-tools");
    tools.append(
      button(say("importFile"), say("importFileHint"), () => this.chooseFile()),
      button(say("pasteCode"), say("pasteCodeHint"), () => this.pasteCode()),
      button(say("refresh"), say("refreshHint"), this.reload),
    );
    this.model = make("div", "ss-model");
    header.append(make("h2", "", say("presets")), this.search, tools, this.model);
    return header;
  }

  /** One request at a time; what is asked for meanwhile is one further request. */
  async load() {
    this.again = Boolean(this.loading);
    if (this.loading) return;
    this.loading = true;
    try {
      const model = this.chain();
      this.shownFor = JSON.stringify(model);
      const answer = await ask("/sigmasmith/library", { model, search: this.search.value });
      this.presets = answer.presets;
      this.left = answer.found - answer.presets.length;
      this.total = answer.total;
      this.mayRemove = answer.may_remove;
      this.model.textContent = answer.model ? say("fitFirst", { model: answer.model }) : "";
      this.render();
    } catch (error) {
      this.list.replaceChildren(make("li", "ss-none", error.message));
    } finally {
      this.loading = false;
    }
    if (this.again) await this.load();
  }

  chain() {
    return modelOfGraph(app.canvas.graph ?? rootGraph(), rootGraph());
  }

  render() {
    this.search.hidden = this.total < SEARCH_FROM;
    const found = this.presets.filter((preset) => matches(preset, this.search.value));
    const nothing = say(this.total ? "nothingFound" : "noPresets");
    this.list.replaceChildren(
      ...(found.length ? found.map((preset) => this.card(preset)) : [make("li", "ss-none", nothing)]),
      ...(this.left ? [make("li", "ss-none", say("more", { left: this.left, total: this.total }))] : []),
    );
  }

  card(preset) {
    return cardElement(preset, {
      open: this.open === preset.name,
      mayRemove: this.mayRemove,
      toggle: () => {
        this.open = this.open === preset.name ? null : preset.name;
        this.render();
      },
      use: () => this.use(preset),
      code: () => copyCode("/sigmasmith/library/share", { name: preset.name }),
      exportFile: (withWorkflow) => this.exportFile(preset, withWorkflow),
      duplicate: () => this.act("duplicate", { name: preset.name }, ({ name }) => say("copiedAs", { name })),
      rename: () => this.rename(preset),
      remove: () => this.remove(preset),
    });
  }

  use(preset) {
    const { name } = preset;
    const samplers = usePreset(preset);
    if (samplers.length) tell(say("used", { name, sampler: samplers.map((node) => node.title).join(", ") }), "success");
    else tell(say("usedAlone", { name }), "success");
  }

  /** One change of the library, told and shown. */
  async act(what, body, said) {
    try {
      const answer = await ask(`/sigmasmith/library/${what}`, body);
      if (answer.name) this.open = answer.name;
      tell(said(answer), "success");
      this.changed(); // and with it this list
    } catch (error) {
      tellProblem(error);
    }
  }

  async rename(preset) {
    const to = await askText(say("renamePreset"), say("newName"), preset.name);
    if (to && to.trim() !== preset.name) {
      await this.act("rename", { name: preset.name, to }, ({ name }) => say("renamed", { to: name, name: preset.name }));
    }
  }

  async remove(preset) {
    if (await confirmed(say("deletePreset"), say("deleteForGood", preset), "delete")) {
      this.open = null;
      await this.act("delete", { name: preset.name }, () => say("deleted", preset));
    }
  }

  async pasteCode() {
    const code = await askText(say("pasteCode"), say("pasteCodeHint"));
    if (code) await this.act("code", { code }, ({ name }) => say("added", { name }));
  }

  chooseFile() {
    const input = make("input");
    input.type = "file";
    input.accept = ".safetensors";
    input.multiple = true;
    input.addEventListener("change", async () => {
      for (const file of input.files) {
        const added = await addFile(file, this.changed);
        if (added) this.open = added.name;
        if (added?.workflow) await offerWorkflow(file);
      }
    });
    input.click();
  }

  async exportFile(preset, withWorkflow) {
    try {
      const workflow = withWorkflow ? rootGraph().serialize() : null;
      const blob = await askBlob("/sigmasmith/library/export", { name: preset.name, workflow });
      const link = make("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${preset.name.split("/").at(-1)}.safetensors`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    } catch (error) {
      tellProblem(error);
    }
  }
}

function button(text, title, onClick) {
  const element = make("button", "", text);
  element.type = "button";
  element.title = title;
  element.addEventListener("click", onClick);
  return element;
}
