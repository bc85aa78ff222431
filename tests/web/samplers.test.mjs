import assert from "node:assert/strict";
import test from "node:test";
import { applyBefore, freePlace, samplerChoiceOf, samplersToServe } from "../../web/samplers.mjs";
import { Graph, MODEL } from "./graph.mjs";

const SAMPLER = { widgets: { scheduler: "karras", sampler_name: "euler" }, inputs: [MODEL] };

test("the first sampler is served with all that its model feeds directly, a refiner of another model is not", () => {
  const graph = new Graph();
  const [base, refiner] = ["a", "b"].map((file) => graph.add("Loader", { widgets: { ckpt_name: file }, outputs: ["MODEL"] }));
  const [first, second, third, muted] = [1, 2, 3, 4].map(() => graph.add("KSampler", SAMPLER));
  muted.mode = 2;
  for (const [source, sampler] of [[base, first], [base, second], [refiner, third], [base, muted]]) graph.link(source, 0, sampler, 0);
  const [group, ...others] = samplersToServe(graph);
  assert.deepEqual([group.source, group.samplers, others], [base, [first, second], []]);
  const chosen = samplersToServe(graph, [first, third]);
  assert.deepEqual(chosen.map(({ source, samplers }) => [source, samplers]), [[base, [first]], [refiner, [third]]]);
  assert.deepEqual(samplersToServe(new Graph()), []);
});

test("a guider beside a scheduler takes the preset too, and the sampler behind both is the one to choose", () => {
  const graph = new Graph();
  const load = graph.add("Loader", { outputs: ["MODEL"] });
  const scheduler = graph.add("BasicScheduler", { widgets: { scheduler: "simple" }, inputs: [MODEL], outputs: ["SIGMAS"] });
  const guider = graph.add("BasicGuider", { inputs: [MODEL], outputs: ["GUIDER"] });
  const kind = graph.add("KSamplerSelect", { widgets: { sampler_name: "euler" }, outputs: ["SAMPLER"] });
  const custom = graph.add("SamplerCustomAdvanced", { inputs: [{ name: "sampler", type: "SAMPLER" }, { name: "sigmas", type: "SIGMAS" }] });
  graph.link(load, 0, scheduler, 0);
  graph.link(load, 0, guider, 0);
  graph.link(kind, 0, custom, 0);
  graph.link(scheduler, 0, custom, 1);
  const [group] = samplersToServe(graph);
  assert.deepEqual(group.takers, [[guider, 0], [scheduler, 0]]);
  assert.equal(samplerChoiceOf(scheduler, graph), kind);
  assert.equal(samplerChoiceOf(graph.add("KSampler", SAMPLER), graph).type, "KSampler");
});

test("an Apply Schedule in front, even behind a LoRA, is known", () => {
  const graph = new Graph();
  const apply = graph.add("SigmasmithApply", { inputs: [MODEL], outputs: ["MODEL"] });
  const lora = graph.add("LoraLoader", { inputs: [MODEL], outputs: ["MODEL"] });
  const sampler = graph.add("KSampler", SAMPLER);
  graph.link(apply, 0, lora, 0);
  graph.link(lora, 0, sampler, 0);
  assert.equal(applyBefore(sampler, graph), apply);
  assert.equal(applyBefore(apply, graph), undefined);
});

test("a new node stands above what is there", () => {
  const nodes = [{ pos: [0, 0], size: [100, 100] }, { pos: [0, -200], size: [100, 100] }];
  const [x, y] = freePlace(nodes, [80, 60], [10, 0]);
  assert.equal(x, 10);
  assert.ok(y + 60 < -200 - 30, y);
  assert.deepEqual(freePlace(nodes, [80, 60], [500, 0]), [500, 0]);
});
