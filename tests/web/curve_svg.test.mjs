import assert from "node:assert/strict";
import test from "node:test";
import { curveMarkup, escaped, frameOf, hoverMarkup, readout, thumbnailMarkup } from "../../web/curve_svg.mjs";

function curve(name, sigmas) {
  return {
    name,
    points: sigmas.map((sigma, step) => [step, sigma > 0 ? Math.log10(sigma) : null, sigma]),
    texts: sigmas.map(String),
    said: sigmas.map((sigma, step) => `step ${step}: sigma ${sigma}`),
  };
}

function answer(cut = 0, names = ["simple", "karras"]) {
  return {
    plot: {
      x: { low: 0, high: 4, ticks: [0, 1, 2, 3, 4].map((at) => ({ at, text: String(at) })) },
      y: { low: -1, high: 1, ticks: [{ at: -1, text: "0.1" }, { at: 0, text: "1" }, { at: 1, text: "10" }] },
      curves: [curve("this schedule", [10, 3, 1, 0.1, 0]), ...names.map((name) => curve(name, [10, 5, 2, 0.5, 0]))],
    },
    cut,
    start: "1",
  };
}

const count = (markup, what) => markup.split(what).length - 1;

test("the ends of the axes lie on the edges of the frame", () => {
  const frame = frameOf(answer().plot, 300, 150);
  assert.equal(frame.across(0), frame.left);
  assert.equal(frame.across(4), frame.right);
  assert.equal(frame.down(1), frame.top);
  assert.equal(frame.down(null), frame.bottom);
  assert.ok(frame.down(-1) < frame.bottom);
  assert.equal(frame.stepAt(frame.across(3)), 3);
});

test("everything drawn lies inside the picture at every size", () => {
  for (const [width, height] of [[60, 40], [300, 150], [900, 600]]) {
    const markup = curveMarkup(answer(2), width, height);
    for (const [, points] of markup.matchAll(/points="([^"]*)"/g)) {
      for (const pair of points.split(" ")) {
        const [x, y] = pair.split(",").map(Number);
        assert.ok(x >= 0 && x <= Math.max(width, 68), `${x} of ${width}`);
        assert.ok(y >= 0 && y <= Math.max(height, 70), `${y} of ${height}`);
      }
    }
    assert.doesNotMatch(markup, /NaN|undefined|null/);
  }
});

test("the main curve has a dot per step, its last step drawn apart", () => {
  const markup = curveMarkup(answer(), 300, 150);
  assert.equal(count(markup, "ss-dot"), 5);
  assert.equal(count(markup, "ss-last"), 1);
  assert.equal(count(markup, 'class="ss-other ss-other-0" points'), 1);
});

test("what denoise leaves out is drawn apart, with the start sigma in words", () => {
  const markup = curveMarkup(answer(2), 300, 150);
  assert.equal(count(markup, "ss-left-out"), 1);
  assert.match(markup, /starts at 1</);
  assert.equal(count(markup, "ss-dot"), 3);
  assert.doesNotMatch(curveMarkup(answer(0), 300, 150), /ss-left-out|ss-cut/);
});

test("a schedule that stops above 0 has no last step to 0", () => {
  const high = answer();
  high.plot.curves[0] = curve("this schedule", [10, 3, 1]);
  assert.doesNotMatch(curveMarkup(high, 300, 150), /ss-last/);
});

test("names of Python are escaped", () => {
  const evil = '<img src=x onerror="alert(1)">&';
  const given = answer(1, [evil.slice(0, 12)]);
  given.start = evil;
  given.plot.y.ticks[0].text = evil;
  assert.doesNotMatch(curveMarkup(given, 300, 150), /<img/);
  given.plot.curves[0].said[1] = evil;
  const frame = frameOf(given.plot, 300, 150);
  assert.doesNotMatch(hoverMarkup(readout(given, frame, frame.across(1)), frame), /<img/);
  assert.equal(escaped(evil), "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;");
});

test("the legend wraps and pushes the picture down", () => {
  const few = frameOf(answer(0, ["a"]).plot, 300, 150);
  const many = frameOf(answer(0, ["one long name", "another long name", "a third long name"]).plot, 200, 150);
  assert.equal(few.rows.length, 1);
  assert.ok(many.rows.length > 1);
  assert.ok(many.top > few.top);
});

test("the pointer reads the nearest step of every curve", () => {
  const frame = frameOf(answer().plot, 300, 150);
  const reading = readout(answer(), frame, frame.across(2) + 3);
  assert.deepEqual(reading.lines, ["step 2: sigma 1", "simple: 2", "karras: 2"]);
  assert.equal(reading.x, frame.across(2));
  assert.equal(readout(answer(), frame, -500).lines[0], "step 0: sigma 10");
  assert.equal(readout(answer(), frame, 5000).lines[0], "step 4: sigma 0");
});

test("the reading stays inside the picture", () => {
  const frame = frameOf(answer().plot, 300, 150);
  for (let step = 0; step <= 4; step++) {
    const markup = hoverMarkup(readout(answer(), frame, frame.across(step)), frame);
    const [, x, y, width, height] = markup.match(/ss-tip" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)"/).map(Number);
    assert.ok(x >= 0 && x + width <= 300 && y >= 0 && y + height <= 150, markup);
  }
});

test("labels of steps keep their distance in a narrow picture", () => {
  const crowded = answer();
  crowded.plot.x.ticks = Array.from({ length: 41 }, (_, index) => ({ at: index / 10, text: String(index) }));
  assert.ok(count(curveMarkup(crowded, 200, 150), 'text-anchor="middle"') < 10);
});

test("a thumbnail draws all lists, one of them strongly", () => {
  const list = [[0, 0], [0.5, 0.4], [1, 1]];
  const markup = thumbnailMarkup([list, list, list], 84, 52);
  assert.equal(count(markup, "ss-main"), 1);
  assert.equal(count(markup, "ss-faint"), 2);
});
