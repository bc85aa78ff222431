// The library in the sidebar: what is there, and what can be done with it. Python decides what fits and what is known.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { ask, askBlob, askText, confirmed, copyCode, news, rootGraph, tell, tellProblem } from "./host.mjs";
import { addFile, offerWorkflow } from "./drop.mjs";
import { modelOfGraph } from "./graph.mjs";
import { cardElement } from "./library_card.mjs";
import { matches } from "./library_search.mjs";
import { usePreset } from "./load_preset.mjs";
import { make } from "./curve_view.mjs";

const SEARCH_FROM = 2; // presets from which a search field is of use
const EMPTY =
  "No presets yet. Fit one with Sigmasmith Fit Schedule, drop a preset file on the page, or paste a share code that somebody sent you.";

export class LibraryPanel {
  constructor(element, changed) {
    this.changed = changed;
    this.presets = [];
    this.total = this.left = 0; // presets there are, and those of them that a search finds and the page does not hold
    this.open = null;
    this.mayRemove = true;
    this.root = make("section", "sigmasmith sigmasmith-library");
    this.root.setAttribute("aria-label", "Sigmasmith presets");
    this.root.append(this.header(), (this.list = make("ul", "ss-list")));
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
    this.reload();
  }

  destroy() {
    api.removeEventListener("execution_success", this.reload);
    api.removeEventListener("graphChanged", this.graphChanged);
    news.removeEventListener("graph", this.graphChanged);
    news.removeEventListener("library", this.reload);
    this.root.remove();
  }

  header() {
    const header = make("header");
    this.search = make("input");
    this.search.type = "search";
    this.search.placeholder = "Search names, models, samplers, authors";
    this.search.setAttribute("aria-label", "Search presets");
    this.search.addEventListener("input", () => {
      this.render();
      if (this.total > this.presets.length) this.reload(); // the page holds a part; Python searches among all
    });
    const tools = make("div", "ss-tools");
    tools.append(
      button("Import file", "Add a preset file", () => this.chooseFile()),
      button("Paste share code", "Add a preset from a line that begins with sigmasmith1:", () => this.pasteCode()),
      button("Refresh", "Look again", this.reload),
    );
    this.model = make("div", "ss-model");
    header.append(make("h2", "", "Sigmasmith presets"), this.search, tools, this.model);
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
      this.model.textContent = answer.model ? `Those that fit ${answer.model} come first.` : "";
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
    const nothing = this.total ? "Nothing found." : EMPTY;
    this.list.replaceChildren(
      ...(found.length ? found.map((preset) => this.card(preset)) : [make("li", "ss-none", nothing)]),
      ...(this.left ? [make("li", "ss-none", `${this.left} more of ${this.total} presets: search to find them.`)] : []),
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
      use: () => {
        usePreset(preset.name);
      },
      code: () => copyCode("/sigmasmith/library/share", { name: preset.name }),
      exportFile: (withWorkflow) => this.exportFile(preset, withWorkflow),
      duplicate: () => this.act("duplicate", { name: preset.name }, ({ name }) => `Copied as ${name}.`),
      rename: () => this.rename(preset),
      remove: () => this.remove(preset),
    });
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
    const to = await askText("Rename preset", "New name; a/b puts it into a folder a.", preset.name);
    if (to && to.trim() !== preset.name) {
      await this.act("rename", { name: preset.name, to }, ({ name }) => `Renamed to ${name}. Workflows that load ${preset.name} must be set anew.`);
    }
  }

  async remove(preset) {
    if (await confirmed("Delete preset?", `${preset.name} is removed from the disk for good.`, "delete")) {
      this.open = null;
      await this.act("delete", { name: preset.name }, () => `${preset.name} is deleted.`);
    }
  }

  async pasteCode() {
    const code = await askText("Paste share code", "The line that begins with sigmasmith1:");
    if (code) await this.act("code", { code }, ({ name }) => `Preset ${name} is in the library.`);
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
