// What is around a node of the graph, as plain data for Python. Pure: reads litegraph objects and touches nothing.

const MAX_NODES = 64;
const SUBGRAPH_INPUT = -10;
// Inputs that a model passes through, by their type; a guider holds a model.
export const MODEL_TYPES = new Set(["MODEL", "GUIDER"]);
const PRESET_TYPE = "SIGMASMITH_PRESET";

/** Everything that decides a node's curve: the body of one entry of POST /sigmasmith/curves. */
export function describe(node, root) {
  const preset = presetChain(node, root);
  const request = { node: valuesOf(node, root) };
  if (preset.length) request.preset = preset;
  const model = modelChain(node, root);
  if (model.length) request.model = model;
  const run = samplerBehind(node);
  if (run) request.run = valuesOf(run, root);
  return request;
}

/** Type and widget values of a node; a linked input counts where a primitive gives it. */
export function valuesOf(node, root) {
  const values = {};
  const linked = [];
  for (const widget of node.widgets ?? []) {
    if (!plain(widget.value)) continue;
    const slot = (node.inputs ?? []).findIndex((input) => input.widget?.name === widget.name && input.link != null);
    if (slot < 0) {
      values[widget.name] = widget.value;
      continue;
    }
    const source = origin(node, slot, root)?.node;
    const given = source && source.type?.startsWith("Primitive") ? source.widgets?.[0]?.value : undefined;
    if (plain(given)) values[widget.name] = given;
    else linked.push(widget.name);
  }
  return { type: node.comfyClass ?? node.type, values, ...(linked.length ? { linked } : {}) };
}

/** The node and output slot that feed an input, through reroutes and subgraph borders; undefined where none does. */
export function origin(node, slot, root) {
  for (let turns = 0; turns < MAX_NODES && node; turns++) {
    const id = node.inputs?.[slot]?.link;
    const link = id == null ? undefined : linkOf(node.graph, id);
    if (!link) return undefined;
    if (link.origin_id === SUBGRAPH_INPUT) {
      // Out of the subgraph: the same slot of the node that stands for it.
      node = holderOf(node.graph, root);
      slot = link.origin_slot;
      continue;
    }
    const source = node.graph.getNodeById(link.origin_id);
    if (!source) return undefined;
    if (source.type === "Reroute" || bypassed(source)) {
      node = source;
      slot = source.type === "Reroute" ? 0 : sameType(source, link.origin_slot);
      if (slot < 0) return undefined;
      continue;
    }
    if (source.subgraph) return inside(source, link.origin_slot);
    return { node: source, slot: link.origin_slot };
  }
  return undefined;
}

/** Nodes from the preset input upwards, the nearest first. */
export function presetChain(node, root) {
  const chain = [];
  while (chain.length < MAX_NODES) {
    const slot = slotOf(node, (type) => type === PRESET_TYPE);
    const source = slot < 0 ? undefined : origin(node, slot, root)?.node;
    if (!source) break;
    chain.push(valuesOf(source, root));
    node = source;
  }
  return chain;
}

/** Nodes that the model passes through, the loader first. */
export function modelChain(node, root) {
  const chain = [];
  while (chain.length < MAX_NODES) {
    const slot = slotOf(node, (type) => MODEL_TYPES.has(type));
    const source = slot < 0 ? undefined : origin(node, slot, root)?.node;
    if (!source) break;
    chain.unshift(valuesOf(source, root));
    node = source;
  }
  return chain;
}

/** The model of a graph where it is not asked for one node: the chain behind the first node that samples. */
export function modelOfGraph(graph, root = graph) {
  const nodes = graph?._nodes ?? graph?.nodes ?? [];
  const samples = (node) => slotOf(node, (type) => MODEL_TYPES.has(type)) >= 0;
  const ranked = [...nodes].sort((a, b) => Number(isSampler(b)) - Number(isSampler(a)));
  for (const node of ranked) {
    if (!samples(node)) continue;
    const chain = modelChain(node, root);
    if (chain.some((entry) => "ckpt_name" in entry.values || "unet_name" in entry.values)) return chain;
  }
  return [];
}

/** The nearest node behind a MODEL output that has steps to run; undefined where none has. */
export function samplerBehind(node) {
  const waiting = [node];
  const seen = new Set(waiting);
  while (waiting.length && seen.size < MAX_NODES) {
    const here = waiting.shift();
    for (const output of here.outputs ?? []) {
      if (!MODEL_TYPES.has(output.type)) continue;
      for (const id of output.links ?? []) {
        const next = here.graph?.getNodeById(linkOf(here.graph, id)?.target_id);
        if (!next || seen.has(next)) continue;
        if (isSampler(next)) return next;
        seen.add(next);
        waiting.push(next);
      }
    }
  }
  return undefined;
}

/** Whether a node has a scheduler to choose. */
export function isSampler(node) {
  return (node.widgets ?? []).some((widget) => widget.name === "scheduler");
}

function plain(value) {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

/** A link of a graph by its id; both kinds of link stores that hosts have. */
export function linkOf(graph, id) {
  const links = graph?.links ?? graph?._links;
  return typeof links?.get === "function" ? links.get(id) : links?.[id];
}

/** Number of the first connected input of a wanted type; -1 where there is none. */
export function slotOf(node, wanted) {
  return (node.inputs ?? []).findIndex((input) => wanted(input.type) && input.link != null);
}

// Litegraph's modes: 2 is muted, 4 is bypassed; a bypassed node passes its first input of the same type on.
function bypassed(node) {
  return node.mode === 4;
}

function sameType(node, outputSlot) {
  return (node.inputs ?? []).findIndex((input) => input.type === node.outputs?.[outputSlot]?.type);
}

function holderOf(subgraph, root, seen = new Set()) {
  const graphs = [root];
  while (graphs.length) {
    const graph = graphs.shift();
    if (!graph || seen.has(graph)) continue;
    seen.add(graph);
    for (const node of graph._nodes ?? graph.nodes ?? []) {
      if (!node.subgraph) continue;
      if (node.subgraph === subgraph) return node;
      graphs.push(node.subgraph);
    }
  }
  return undefined;
}

function inside(holder, slot) {
  const output = holder.subgraph.outputs?.[slot];
  const link = linkOf(holder.subgraph, output?.linkIds?.[0]);
  const node = link && holder.subgraph.getNodeById(link.origin_id);
  return node ? { node, slot: link.origin_slot } : undefined;
}
