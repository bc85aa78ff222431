// The page's side of Sigmasmith. Python computes; the .mjs files beside this one draw and ask.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { ask, copyCode, news, rootGraph, tell } from "./host.mjs";
import { say, speak, told } from "./words.mjs";
import { foldAdvanced } from "./fold.mjs";
import { fitOnce } from "./fit_once.mjs";
import { LiveCurves, WRITERS, hasCurve } from "./live.mjs";
import { acceptDrops, acceptGraphDrops } from "./drop.mjs";
import { LOADER, offerPresets, setWidget } from "./load_preset.mjs";
import { Outcomes } from "./outcome.mjs";
import { widen } from "./width.mjs";

const SECONDS = { warning: 12, news: 6 };

function wheel(event, words) {
  // Nodes 2.0 passes the wheel on itself; on the classic canvas a page element keeps it.
  const scrolls = words.scrollHeight > words.clientHeight && words.contains(event.target);
  if (!scrolls && !event.currentTarget.closest("[data-node-id]")) app.canvas.processMouseWheel(event);
}

const curves = new LiveCurves({
  rootGraph,
  ask,
  copyCode: (node) => copyCode("/sigmasmith/code", { node }),
  wheel,
  onShown: (node) => outcomes.compare(node),
});

const outcomes = new Outcomes({
  rootGraph,
  wheel,
  saidOf: (node) => curves.saidOf(node),
  urlOf: ({ filename, subfolder, type }) => api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`),
  onOffer(node, minutes) {
    if (minutes !== undefined) setWidget(node, "minutes", minutes);
    queue();
  },
  onChange: () => news.dispatchEvent(new Event("fits")),
});

function queue() {
  void app.queuePrompt(0);
}

/** Files of the library have changed. */
function libraryChanged() {
  curves.forget();
  void offerPresets();
  news.dispatchEvent(new Event("library"));
}

app.registerExtension({
  name: "sigmasmith",
  async init() {
    const style = new CSSStyleSheet();
    document.adoptedStyleSheets.push(style);
    const text = await fetch(new URL("./sigmasmith.css", import.meta.url));
    await style.replace(await text.text());
  },
  setup() {
    speak(() => app.extensionManager.setting.get("Comfy.Locale"));
    api.addEventListener("sigmasmith.message", ({ detail }) => {
      const { text, said, warning, quiet } = detail;
      if (!quiet) tell(told(said ?? text), warning ? "warn" : "info", warning ? SECONDS.warning : SECONDS.news);
    });
    api.addEventListener("sigmasmith.status", ({ detail }) => {
      outcomes.status(detail);
      if (detail.done === undefined) curves.told(detail.node);
    });
    api.addEventListener("sigmasmith.pictures", ({ detail }) => outcomes.pictures(detail));
    api.addEventListener("graphChanged", () => curves.soon());
    api.addEventListener("execution_success", () => curves.ran());
    for (const end of ["execution_success", "execution_error", "execution_interrupted"]) api.addEventListener(end, () => outcomes.ran());
    acceptGraphDrops(libraryChanged);
    let panel = null;
    app.extensionManager.registerSidebarTab({
      id: "sigmasmith",
      icon: "pi pi-chart-line",
      title: "Sigmas", // a longer label breaks in the bar
      tooltip: say("presets"),
      type: "custom",
      async render(element) {
        const { LibraryPanel } = await import("./library.mjs");
        panel = new LibraryPanel(element, { changed: libraryChanged, fits: outcomes.fits, goOn: queue });
      },
      destroy() {
        panel?.destroy();
        panel = null;
      },
    });
  },
  nodeCreated(node) {
    if (node.comfyClass?.startsWith("Sigmasmith")) {
      widen(node);
      foldAdvanced(node);
    }
    if (node.comfyClass === LOADER) acceptDrops(node, libraryChanged);
    if (WRITERS.has(node.comfyClass)) fitOnce(node);
    if (hasCurve(node)) curves.attach(node);
    if (node.comfyClass?.startsWith("Sigmasmith")) outcomes.attach(node);
  },
  loadedGraphNode(node) {
    curves.loaded(node);
  },
  refreshComboInNodes() {
    curves.forget(); // the person has pressed R: files may have come
  },
  afterConfigureGraph() {
    curves.soon();
    news.dispatchEvent(new Event("graph"));
  },
});
