import assert from "node:assert/strict";
import test from "node:test";
import { Graph, MODEL } from "./graph.mjs";
import { describe, modelOfGraph, samplerBehind, valuesOf } from "../../web/graph.mjs";

const PRESET = { name: "preset", type: "SIGMASMITH_PRESET" };

function common(graph = new Graph()) {
  const load = graph.add("CheckpointLoaderSimple", { widgets: { ckpt_name: "sd.safetensors" }, outputs: ["MODEL"] });
  const shift = graph.add("ModelSamplingSD3", { widgets: { shift: 3 }, inputs: [MODEL], outputs: ["MODEL"] });
  const preset = graph.add("SigmasmithLoadPreset", { widgets: { preset: "mine", share_code: "" }, outputs: ["SIGMASMITH_PRESET"] });
  const apply = graph.add("SigmasmithApply", { inputs: [MODEL, PRESET], outputs: ["MODEL"] });
  graph.link(load, 0, shift, 0);
  graph.link(shift, 0, apply, 0);
  graph.link(preset, 0, apply, 1);
  return { graph, load, shift, preset, apply };
}

test("a node is described with its preset, its model from the loader on, and the sampler behind it", () => {
  const { graph, apply } = common();
  const lora = graph.add("LoraLoaderModelOnly", { widgets: { lora_name: "x" }, inputs: [MODEL], outputs: ["MODEL"] });
  const sampler = graph.add("KSampler", { widgets: { steps: 20, scheduler: "karras" }, inputs: [MODEL] });
  graph.link(apply, 0, lora, 0);
  graph.link(lora, 0, sampler, 0);
  assert.deepEqual(describe(apply, graph), {
    node: { type: "SigmasmithApply", values: {} },
    preset: [{ type: "SigmasmithLoadPreset", values: { preset: "mine", share_code: "" } }],
    model: [
      { type: "CheckpointLoaderSimple", values: { ckpt_name: "sd.safetensors" } },
      { type: "ModelSamplingSD3", values: { shift: 3 } },
    ],
    run: { type: "KSampler", values: { steps: 20, scheduler: "karras" } },
  });
});

test("a node alone is described alone", () => {
  const graph = new Graph();
  const node = graph.add("SigmasmithCosine", { widgets: { steps: 5 }, inputs: [MODEL] });
  assert.deepEqual(describe(node, graph), { node: { type: "SigmasmithCosine", values: { steps: 5 } } });
});

test("widgets that hold elements or objects are left out", () => {
  const node = new Graph().add("X", { widgets: { a: 1, b: {}, c: undefined, d: [1], e: "text", f: false, g: null } });
  assert.deepEqual(valuesOf(node).values, { a: 1, e: "text", f: false, g: null });
});

test("a value through a link is taken from a primitive and else named", () => {
  const graph = new Graph();
  const primitive = graph.add("PrimitiveInt", { widgets: { value: 7 }, outputs: ["INT"] });
  const maths = graph.add("SomeMaths", { widgets: { value: 9 }, outputs: ["FLOAT"] });
  const node = graph.add("SigmasmithCosine", {
    widgets: { steps: 20, denoise: 1 },
    inputs: [
      { name: "steps", type: "INT", widget: { name: "steps" } },
      { name: "denoise", type: "FLOAT", widget: { name: "denoise" } },
    ],
  });
  graph.link(primitive, 0, node, 0);
  graph.link(maths, 0, node, 1);
  assert.deepEqual(valuesOf(node, graph), { type: "SigmasmithCosine", values: { steps: 7 }, linked: ["denoise"] });
});

test("reroutes and bypassed nodes are seen through", () => {
  const { graph, load, shift, apply } = common();
  shift.mode = 4;
  const reroute = graph.add("Reroute", { inputs: [{ name: "", type: "*" }], outputs: ["MODEL"] });
  graph.link(load, 0, reroute, 0);
  graph.link(reroute, 0, shift, 0);
  assert.deepEqual(describe(apply, graph).model.map((entry) => entry.type), ["CheckpointLoaderSimple"]);
});

test("a model is followed out of a subgraph and into one", () => {
  const root = new Graph();
  const inner = new Graph();
  const { load } = common(root);
  const holder = root.add("a-uuid", { inputs: [MODEL], outputs: ["MODEL"], subgraph: inner });
  root.link(load, 0, holder, 0);
  const inside = inner.add("SigmasmithCosine", { widgets: { steps: 5 }, inputs: [MODEL] });
  inner.link(null, 0, inside, 0);
  assert.deepEqual(describe(inside, root).model.map((entry) => entry.type), ["CheckpointLoaderSimple"]);

  const shift = inner.add("ModelSamplingSD3", { widgets: { shift: 2 }, inputs: [MODEL], outputs: ["MODEL"] });
  inner.link(null, 0, shift, 0);
  inner.links.set(99, { origin_id: shift.id, origin_slot: 0 });
  inner.outputs = [{ linkIds: [99] }];
  const outside = root.add("SigmasmithCosine", { widgets: { steps: 5 }, inputs: [MODEL] });
  root.link(holder, 0, outside, 0);
  assert.deepEqual(describe(outside, root).model.map((entry) => entry.type), ["CheckpointLoaderSimple", "ModelSamplingSD3"]);
});

test("a loop, which a person can draw, does not hang", () => {
  const graph = new Graph();
  const a = graph.add("A", { inputs: [MODEL], outputs: ["MODEL"] });
  const b = graph.add("SigmasmithApply", { inputs: [MODEL], outputs: ["MODEL"] });
  graph.link(a, 0, b, 0);
  graph.link(b, 0, a, 0);
  assert.ok(describe(b, graph).model.length <= 64);
  assert.equal(samplerBehind(b), undefined);
});

test("the model of a graph is the one that a sampler uses", () => {
  const { graph, apply } = common();
  const other = graph.add("CheckpointLoaderSimple", { widgets: { ckpt_name: "other.safetensors" }, outputs: ["MODEL"] });
  const unused = graph.add("ModelSave", { inputs: [MODEL] });
  graph.link(other, 0, unused, 0);
  const sampler = graph.add("KSampler", { widgets: { steps: 20, scheduler: "karras" }, inputs: [MODEL] });
  graph.link(apply, 0, sampler, 0);
  assert.equal(modelOfGraph(graph)[0].values.ckpt_name, "sd.safetensors");
  assert.deepEqual(modelOfGraph(new Graph()), []);
});
