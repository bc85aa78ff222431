// "Use in the graph": everything that makes a preset run, as one change that one undo takes back.
import { app } from "../../scripts/app.js";
import { rootGraph } from "./host.mjs";
import { origin } from "./graph.mjs";
import { LOADER, setPreset, setWidget } from "./load_preset.mjs";
import { applyBefore, freePlace, samplerChoiceOf, samplersToServe } from "./samplers.mjs";

const APPLY = "SigmasmithApply";
const SCHEDULER = "sigmasmith_optimal";
const BETWEEN = 40; // pixels between two new nodes

/**
 * Use a preset: in the selected Load Preset node, else in front of the samplers, else in a new Load Preset alone.
 * @param preset an entry of /sigmasmith/library.
 * @returns the samplers that it is in front of.
 */
export function usePreset(preset) {
  const selected = [...(app.canvas.selectedItems ?? [])];
  const loader = selected.find((item) => item.comfyClass === LOADER);
  return asOneChange(() => {
    if (loader) {
      setPreset(loader, preset.name);
      return [];
    }
    const graph = app.canvas.graph ?? rootGraph();
    const groups = samplersToServe(graph, selected);
    if (!groups.length) addAlone(graph, preset.name);
    let loads;
    for (const group of groups) loads = serve(graph, group, preset, loads) ?? loads;
    return groups.flatMap((group) => group.samplers);
  });
}

function asOneChange(change) {
  app.canvas.emitBeforeChange();
  try {
    return change();
  } finally {
    app.canvas.emitAfterChange();
  }
}

/** Let one group of samplers run a preset; the new Load Preset, where one was made. */
function serve(graph, group, preset, loads) {
  const known = applyBefore(group.samplers[0], rootGraph());
  const apply = known ?? insertApply(graph, group);
  const feeds = known && origin(apply, presetSlot(apply), rootGraph())?.node;
  if (feeds?.comfyClass === LOADER) {
    setPreset(feeds, preset.name);
  } else {
    loads ??= insertLoader(graph, apply, preset.name);
    loads.connect(0, apply, presetSlot(apply));
  }
  choose(apply, "use", "fitted");
  for (const sampler of group.samplers) {
    choose(sampler, "scheduler", SCHEDULER);
    choose(samplerChoiceOf(sampler, rootGraph()), "sampler_name", preset.sampler);
  }
  return loads;
}

function insertApply(graph, { source, slot, takers, samplers: [first] }) {
  const apply = window.LiteGraph.createNode(APPLY);
  apply.pos = freePlace(graph._nodes, apply.size, [first.pos[0], first.pos[1]]);
  graph.add(apply);
  source.connect(slot, apply, apply.inputs.findIndex((input) => input.type === "MODEL"));
  for (const [node, input] of takers) apply.connect(0, node, input);
  return apply;
}

function insertLoader(graph, apply, name) {
  const loader = window.LiteGraph.createNode(LOADER);
  loader.pos = freePlace(graph._nodes, loader.size, [apply.pos[0] - loader.size[0] - BETWEEN, apply.pos[1]]);
  graph.add(loader);
  setPreset(loader, name);
  return loader;
}

function addAlone(graph, name) {
  const loader = window.LiteGraph.createNode(LOADER);
  const { ds, canvas } = app.canvas;
  const scale = ds.scale * (window.devicePixelRatio || 1);
  loader.pos = [canvas.width / 2 / scale - ds.offset[0] - loader.size[0] / 2, canvas.height / 2 / scale - ds.offset[1] - 120];
  graph.add(loader);
  setPreset(loader, name);
  app.canvas.selectNode?.(loader);
}

function presetSlot(apply) {
  return apply.inputs.findIndex((input) => input.type === "SIGMASMITH_PRESET");
}

/** Set a choice where the node has it and offers the value; what comes through a link stays. */
function choose(node, name, value) {
  const widget = node?.widgets?.find((candidate) => candidate.name === name);
  const offered = widget?.options?.values;
  if (!Array.isArray(offered) || !offered.includes(value) || widget.value === value) return;
  setWidget(node, name, value);
}
