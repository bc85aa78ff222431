// Which nodes show a live curve.
import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.ResizeObserver ??= class {};
const { hasCurve } = await import("../../web/live.mjs");

const outputs = (...types) => types.map((type) => ({ type }));

test("nodes with a schedule and nodes with a search plan show a curve, others of ours and foreign ones none", () => {
  assert.ok(hasCurve({ comfyClass: "SigmasmithCurve", outputs: outputs("SIGMAS") }));
  assert.ok(hasCurve({ comfyClass: "SigmasmithSearchPlan", outputs: outputs("STRING", "STRING", "SIGMASMITH_PRESET") }));
  assert.ok(hasCurve({ comfyClass: "SigmasmithSearchSampler", outputs: outputs("SAMPLER") }));
  assert.ok(!hasCurve({ comfyClass: "SigmasmithSearchSeeds", outputs: outputs("LATENT") }));
  assert.ok(!hasCurve({ comfyClass: "SigmasmithCompare", outputs: outputs("SIGMASMITH_PRESET") }));
  assert.ok(!hasCurve({ comfyClass: "BasicScheduler", outputs: outputs("SIGMAS") }));
});
