import assert from "node:assert/strict";
import test from "node:test";
import { matches } from "../../web/library_search.mjs";
import { isPreset, oneSmallFile } from "../../web/preset_file.mjs";

function safetensors(header, length = undefined) {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  return new File([bytes], "a.safetensors");
}

test("a file with our metadata key is a preset, whatever else it holds", async () => {
  assert.equal(await isPreset(safetensors({ __metadata__: { sigmasmith: "{}" } })), true);
});

test("other files are no presets", async () => {
  for (const file of [
    safetensors({ __metadata__: { format: "pt" } }),
    safetensors({ sigmasmith: { dtype: "F32" } }),
    safetensors({}),
    safetensors('{"sigmasmith"'),
    safetensors({ __metadata__: { sigmasmith: "" } }, 10n ** 12n),
    new File([""], "empty.safetensors"),
    new File(["abc"], "short.safetensors"),
  ]) {
    assert.equal(await isPreset(file), false);
  }
});

test("only one small .safetensors file is looked at", () => {
  const file = (name, size = 10) => ({ name, size });
  const drop = (...files) => ({ files });
  assert.equal(oneSmallFile(drop(file("A.SafeTensors"))).name, "A.SafeTensors");
  for (const other of [drop(), drop(file("a.png")), drop(file("model.safetensors", 5e6)), drop(file("a.safetensors"), file("b.safetensors")), null]) {
    assert.equal(oneSmallFile(other), null);
  }
});

test("a search finds every word in names, facts and gains", () => {
  const preset = { name: "Portrait mix", facts: [["Author", "Ada"], ["Sampler", "dpmpp_2m"]], gains: [[8, "error 2x below karras"]] };
  for (const typed of ["", "  ", "port", "ADA dpm", "8 steps", "author ada", "karras portrait"]) assert.ok(matches(preset, typed), typed);
  for (const typed of ["flux", "ada euler"]) assert.ok(!matches(preset, typed), typed);
  assert.ok(matches({ name: "broken", problem: "x" }, "brok"));
});
