import assert from "node:assert/strict";
import test from "node:test";
import { widen } from "../../web/width.mjs";

const measure = (text) => 6 * text.length;
const made = (width, widgets) => ({ size: [width, 80], widgets, setSize: function (size) { this.size = size; } });

test("a node is widened for a label and value that it would cut, and no further", () => {
  const node = made(298, [{ name: "method", value: "predictive (no step taken back)" }, { name: "max_step", value: 4 }]);
  widen(node, measure);
  assert.deepEqual(node.size, [384, 80]); // (31 letters + the box's own) of three fifths
  widen(node, measure);
  assert.deepEqual(node.size, [384, 80]);
});

test("a node with room stays, and no file name makes it wider than a person would", () => {
  const roomy = made(300, [{ name: "steps", value: 20 }]);
  widen(roomy, measure);
  assert.deepEqual(roomy.size, [300, 80]);
  const long = made(300, [{ name: "preset", value: "x".repeat(200) }, { name: "curve", element: {}, value: "x".repeat(200) }]);
  widen(long, measure);
  assert.deepEqual(long.size, [420, 80]);
  const bare = made(210, undefined);
  widen(bare, measure);
  assert.deepEqual(bare.size, [210, 80]);
});

test("a label in the page's language counts, not the name", () => {
  const node = made(200, [{ name: "n", label: "a long label in another language", value: 1 }]);
  widen(node, measure);
  assert.deepEqual(node.size, [288, 80]);
});
