import assert from "node:assert/strict";
import test from "node:test";
import { foldAdvanced, namesOfAdvanced } from "../../web/fold.mjs";

test("advanced inputs are told from the others by the node's description", () => {
  const description = {
    input: { required: { cfg: ["FLOAT", {}], effort: [["quick"], { advanced: true }], model: ["MODEL"] }, optional: { denoise: ["FLOAT", { advanced: true }] } },
  };
  assert.deepEqual(namesOfAdvanced(description), ["effort", "denoise"]);
  assert.deepEqual(namesOfAdvanced(undefined), []);
});

test("numbers of a second model stand with the others while it is connected", () => {
  const widgets = ["cfg", "effort", "boundary", "cfg_low"].map((name) => ({ name, options: { advanced: name !== "cfg" } }));
  const inputs = [{ name: "model_low", link: null }];
  const spec = (name) => [name, ["FLOAT", { advanced: name !== "cfg" }]];
  const node = {
    widgets,
    inputs,
    size: [300, 100],
    constructor: { nodeData: { input: { required: Object.fromEntries(widgets.map(({ name }) => spec(name))) } } },
    addWidget: (kind, name, value, callback) => ({ name, callback, options: {} }),
    computeSize: () => [300, 20 * widgets.filter(({ hidden }) => !hidden).length],
    setSize: (size) => (node.size = size),
  };
  const shown = () => widgets.filter(({ hidden }) => !hidden).map(({ name }) => name);
  foldAdvanced(node);
  assert.deepEqual(shown(), ["cfg"]);
  inputs[0].link = 7;
  node.onConnectionsChange();
  assert.deepEqual(shown(), ["cfg", "boundary", "cfg_low"]);
  const { size } = node;
  assert.ok(size[1] >= node.computeSize()[1], "they have no room");
  node.onConnectionsChange(); // as when a saved graph is loaded
  assert.deepEqual(node.size, size);
  // Nodes 2.0 folds by these.
  assert.deepEqual(widgets.map(({ options }) => options.advanced), [false, true, false, false]);
  inputs[0].link = null;
  node.onConnectionsChange();
  assert.deepEqual(shown(), ["cfg"]);
});
