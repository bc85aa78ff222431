// The samplers of a graph that a preset is to serve, and where there is room for new nodes. Pure: touches nothing.
import { MODEL_TYPES, isSampler, linkOf, origin, slotOf } from "./graph.mjs";

const APPLY = "SigmasmithApply";
const TITLE = 30; // pixels of a node's title, above its place
const GAP = 20;
const MAX_TURNS = 500;
// Litegraph's modes of nodes that do not run as they are: muted, bypassed.
const OFF = new Set([2, 4]);

/**
 * Samplers to be served, in groups that one output of a model feeds: [{ source, slot, takers: [[node, input], ...], samplers }].
 * The selected ones; where none is, the first sampler and all others that its model feeds directly.
 */
export function samplersToServe(graph, selected = []) {
  const fed = (graph?._nodes ?? []).filter((node) => isSampler(node) && !OFF.has(node.mode) && sourceOf(node));
  const chosen = fed.filter((node) => selected.includes(node));
  const first = fed[0] && sourceOf(fed[0]);
  const served = chosen.length ? chosen : fed.filter((node) => same(sourceOf(node), first));
  const groups = [];
  for (const sampler of served) {
    const source = sourceOf(sampler);
    let group = groups.find((known) => same(known, source));
    if (!group) groups.push((group = { source: source.source, slot: source.slot, takers: guidersOf(graph, source), samplers: [] }));
    group.samplers.push(sampler);
    group.takers.push([sampler, modelSlot(sampler)]);
  }
  return groups;
}

/** The nearest Apply Schedule before a node, in the same graph; undefined where none is. */
export function applyBefore(node, root) {
  for (let turns = 0; turns < MAX_TURNS && node; turns++) {
    node = origin(node, modelSlot(node), root)?.node;
    if (node?.comfyClass === APPLY) return node;
  }
  return undefined;
}

/** The node whose widget names the sampler that runs a sampler's or a scheduler's steps; undefined where none does. */
export function samplerChoiceOf(node, root) {
  const names = (candidate) => candidate?.widgets?.some((widget) => widget.name === "sampler_name");
  if (names(node)) return node;
  const waiting = [node];
  const seen = new Set(waiting);
  while (waiting.length && seen.size < MAX_TURNS) {
    const here = waiting.shift();
    const slot = (here.inputs ?? []).findIndex((input) => input.type === "SAMPLER");
    const kind = slot < 0 ? undefined : origin(here, slot, root)?.node;
    if (names(kind)) return kind;
    for (const output of here.outputs ?? []) {
      if (output.type !== "SIGMAS") continue;
      for (const id of output.links ?? []) {
        const next = here.graph?.getNodeById(linkOf(here.graph, id)?.target_id);
        if (!next || seen.has(next)) continue;
        seen.add(next);
        waiting.push(next);
      }
    }
  }
  return undefined;
}

/** The place nearest above a wished one where a node of this size lies over no other one: [x, y]. */
export function freePlace(nodes, [width, height], [x, y]) {
  for (let turns = 0; turns < MAX_TURNS; turns++) {
    const over = nodes.find(
      ({ pos, size }) =>
        x < pos[0] + size[0] + GAP && pos[0] < x + width + GAP && y - TITLE < pos[1] + size[1] + GAP && pos[1] - TITLE < y + height + GAP,
    );
    if (!over) break;
    y = over.pos[1] - TITLE - GAP - height;
  }
  return [x, y];
}

function modelSlot(node) {
  return slotOf(node, (type) => MODEL_TYPES.has(type));
}

/** What feeds a node's model directly: { source, slot }; undefined where nothing in this graph does. */
function sourceOf(node) {
  const slot = modelSlot(node);
  const link = slot < 0 ? undefined : linkOf(node.graph, node.inputs[slot].link);
  const source = link && node.graph.getNodeById(link.origin_id);
  return source ? { source, slot: link.origin_slot } : undefined;
}

function same(one, other) {
  return Boolean(one && other) && one.source === other.source && one.slot === other.slot;
}

/** Guiders that the same output feeds: they run what a scheduler beside them plans. */
function guidersOf(graph, source) {
  const guides = (node) => (node.outputs ?? []).some((output) => output.type === "GUIDER");
  return graph._nodes.filter((node) => guides(node) && same(sourceOf(node), source)).map((node) => [node, modelSlot(node)]);
}
