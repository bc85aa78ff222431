import assert from "node:assert/strict";
import test from "node:test";
import { namesOfAdvanced } from "../../web/fold.mjs";

test("advanced inputs are told from the others by the node's description", () => {
  const description = {
    input: { required: { cfg: ["FLOAT", {}], effort: [["quick"], { advanced: true }], model: ["MODEL"] }, optional: { denoise: ["FLOAT", { advanced: true }] } },
  };
  assert.deepEqual(namesOfAdvanced(description), ["effort", "denoise"]);
  assert.deepEqual(namesOfAdvanced(undefined), []);
});
