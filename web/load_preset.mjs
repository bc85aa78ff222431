// Load Preset nodes in the graph: what their list offers, and setting them.
import { app } from "../../scripts/app.js";
import { ask, rootGraph } from "./host.mjs";

export const LOADER = "SigmasmithLoadPreset";

/** Every Load Preset node, those inside subgraphs too. */
function* loaders(graph = rootGraph()) {
  for (const node of graph?._nodes ?? []) {
    if (node.comfyClass === LOADER) yield node;
    if (node.subgraph) yield* loaders(node.subgraph);
  }
}

/** Bring the lists of all Load Preset nodes up to date with the folder. */
export async function offerPresets() {
  const found = [...loaders()];
  if (!found.length) return;
  const { presets } = await ask("/sigmasmith/library", {});
  const names = presets.filter((preset) => !preset.problem).map((preset) => preset.name);
  for (const node of found) offer(node, names);
}

function offer(node, names) {
  const widget = node.widgets?.find((candidate) => candidate.name === "preset");
  if (!Array.isArray(widget?.options?.values)) return;
  // The first entry is the one for share codes.
  widget.options.values = [widget.options.values[0], ...names.toSorted()];
}

/** Make a Load Preset node load this preset of the library. */
export function setPreset(node, name) {
  const widget = node.widgets.find((candidate) => candidate.name === "preset");
  if (Array.isArray(widget.options?.values) && !widget.options.values.includes(name)) {
    widget.options.values = [...widget.options.values, name];
  }
  set(node, widget, name);
  const code = node.widgets.find((candidate) => candidate.name === "share_code");
  if (code?.value) set(node, code, "");
}

/** Set a widget as a person's edit does. */
export function setWidget(node, name, value) {
  set(node, node.widgets.find((candidate) => candidate.name === name), value);
}

function set(node, widget, value) {
  const before = widget.value;
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
  node.onWidgetChanged?.(widget.name, value, before, widget);
  node.graph?.setDirtyCanvas(true, true);
}
