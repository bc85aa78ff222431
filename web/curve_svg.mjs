// A schedule as SVG markup. Pure: takes what Python sent (nodes/page/live_plot.py) and a size, and only places it.
import { say } from "./words.mjs";

const MARGIN = { left: 38, right: 10, top: 8, bottom: 18 };
const ZERO_ROW = 14; // height below the log axis where sigma 0 has its place
const MAX_DOTS = 40;
const TEXT_LINE = 13;
const LETTER = 5.6; // width of a letter at the size that sigmasmith.css sets
const TICK_GAP = 20;
const MAX_NAME = 18;

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escaped(text) {
  return String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);
}

/** Where steps and log sigmas lie in a picture of this size. */
export function frameOf(plot, width, height) {
  const left = MARGIN.left;
  const right = Math.max(left + 20, width - MARGIN.right);
  const rows = legendRows(plot.curves.slice(1), right - left);
  const top = MARGIN.top + TEXT_LINE * rows.length;
  const bottom = Math.max(top + ZERO_ROW + 20, height - MARGIN.bottom);
  const logBottom = bottom - ZERO_ROW;
  const across = (step) => left + ((step - plot.x.low) / (plot.x.high - plot.x.low)) * (right - left);
  const down = (level) =>
    level === null ? bottom : logBottom - ((level - plot.y.low) / (plot.y.high - plot.y.low)) * (logBottom - top);
  const stepAt = (x) => plot.x.low + ((x - left) / (right - left)) * (plot.x.high - plot.x.low);
  return { left, right, top, bottom, width, height, rows, across, down, stepAt };
}

/** The markup inside an <svg> with viewBox "0 0 width height". */
export function curveMarkup(answer, width, height) {
  const { plot, cut } = answer;
  const frame = frameOf(plot, width, height);
  const [main, ...others] = plot.curves;
  return [
    ...axes(plot, frame),
    ...others.map((curve, index) => line(curve, frame, `ss-other ss-other-${index}`)),
    ...mainCurve(main, frame, cut),
    ...(cut > 0 ? cutMark(answer, frame) : []),
    ...legend(frame),
    '<g class="ss-hover" visibility="hidden"></g>',
  ].join("");
}

/** A small picture of schedules from points between 0 and 1, the last list strongest. */
export function thumbnailMarkup(lists, width, height) {
  const strong = Math.floor((lists.length - 1) / 2);
  const order = [...lists.keys()].filter((index) => index !== strong).concat(strong);
  return order
    .map((index) => {
      const points = lists[index].map(([x, y]) => `${number(3 + x * (width - 6))},${number(3 + y * (height - 6))}`);
      return `<polyline class="${index === strong ? "ss-main" : "ss-faint"}" points="${points.join(" ")}"/>`;
    })
    .join("");
}

/** What the pointer at x reads: the nearest step, its place on the main curve, and one line of text per curve. */
export function readout(answer, frame, x) {
  const [main, ...others] = answer.plot.curves;
  const wanted = frame.stepAt(x);
  let best = 0;
  main.points.forEach(([step], index) => {
    if (Math.abs(step - wanted) < Math.abs(main.points[best][0] - wanted)) best = index;
  });
  const [step, level] = main.points[best];
  const lines = [main.said[best]];
  for (const curve of others) {
    const at = curve.points.findIndex((point) => point[0] === step);
    if (at >= 0) lines.push(`${curve.name}: ${curve.texts[at]}`);
  }
  return { x: frame.across(step), y: frame.down(level), lines };
}

/** The markup of the pointer's reading. */
export function hoverMarkup(reading, frame) {
  const wide = 14 + 0.92 * LETTER * Math.max(...reading.lines.map((text) => text.length));
  const tall = 8 + TEXT_LINE * reading.lines.length;
  // Curves fall: free are the places above on the right and below on the left.
  const onRight = reading.x + wide + 8 <= frame.width;
  const left = onRight ? reading.x + 8 : Math.max(2, reading.x - wide - 8);
  const top = Math.min(Math.max(2, onRight ? reading.y - tall - 8 : reading.y + 8), frame.bottom - tall);
  const texts = reading.lines.map(
    (text, index) =>
      `<text class="${index ? "ss-quiet" : "ss-text"}" x="${number(left + 6)}" ` +
      `y="${number(top + 13 + TEXT_LINE * index)}">${escaped(text)}</text>`,
  );
  return [
    `<line class="ss-rule" x1="${number(reading.x)}" x2="${number(reading.x)}" y1="${frame.top}" y2="${frame.bottom}"/>`,
    `<circle class="ss-point" cx="${number(reading.x)}" cy="${number(reading.y)}" r="4"/>`,
    `<rect class="ss-tip" x="${number(left)}" y="${number(top)}" width="${number(wide)}" height="${tall}" rx="4"/>`,
    ...texts,
  ].join("");
}

function axes(plot, frame) {
  const parts = [];
  let above = Infinity;
  for (const tick of plot.y.ticks) {
    const y = frame.down(tick.at);
    parts.push(`<line class="ss-grid" x1="${frame.left}" x2="${frame.right}" y1="${number(y)}" y2="${number(y)}"/>`);
    // In a low picture the labels would run into one another.
    if (above - y < 11 || frame.bottom - y < 11) continue;
    above = y;
    parts.push(`<text class="ss-tick" x="${frame.left - 5}" y="${number(y + 3)}" text-anchor="end">${escaped(tick.text)}</text>`);
  }
  parts.push(`<line class="ss-axis" x1="${frame.left}" x2="${frame.right}" y1="${frame.bottom}" y2="${frame.bottom}"/>`);
  parts.push(`<text class="ss-tick" x="${frame.left - 5}" y="${frame.bottom + 3}" text-anchor="end">0</text>`);
  let before = -Infinity;
  for (const tick of plot.x.ticks) {
    if (frame.across(tick.at) - before < TICK_GAP) continue;
    before = frame.across(tick.at);
    parts.push(
      `<text class="ss-tick" x="${number(frame.across(tick.at))}" y="${frame.bottom + 13}" text-anchor="middle">${escaped(tick.text)}</text>`,
    );
  }
  return parts;
}

function pointsOf(points, frame) {
  return points.map(([step, level]) => `${number(frame.across(step))},${number(frame.down(level))}`).join(" ");
}

function line(curve, frame, kind) {
  return `<polyline class="${kind}" points="${pointsOf(curve.points, frame)}"/>`;
}

function mainCurve(curve, frame, cut) {
  const first = Math.max(
    0,
    curve.points.findIndex(([step]) => step >= cut),
  );
  const parts = [];
  if (first > 0) parts.push(`<polyline class="ss-left-out" points="${pointsOf(curve.points.slice(0, first + 1), frame)}"/>`);
  const run = curve.points.slice(first);
  const end = run.length > 1 && run[run.length - 1][1] === null ? run.length - 1 : run.length;
  parts.push(`<polyline class="ss-main" points="${pointsOf(run.slice(0, end), frame)}"/>`);
  // The last step leaves the log axis: its slope means nothing, so it is drawn apart.
  if (end < run.length) parts.push(`<polyline class="ss-last" points="${pointsOf(run.slice(end - 1), frame)}"/>`);
  if (run.length <= MAX_DOTS + 1) {
    for (const [step, level] of run) {
      parts.push(`<circle class="ss-dot" cx="${number(frame.across(step))}" cy="${number(frame.down(level))}" r="2.2"/>`);
    }
  }
  return parts;
}

function cutMark(answer, frame) {
  const x = frame.across(answer.cut);
  const near = x > (frame.left + frame.right) / 2;
  return [
    `<rect class="ss-shade" x="${frame.left}" y="${frame.top}" width="${number(x - frame.left)}" height="${frame.bottom - frame.top}"/>`,
    `<line class="ss-cut" x1="${number(x)}" x2="${number(x)}" y1="${frame.top}" y2="${frame.bottom}"/>`,
    `<text class="ss-text" x="${number(near ? x - 5 : x + 5)}" y="${frame.bottom - 5}" text-anchor="${near ? "end" : "start"}">${escaped(say("startsAt", { sigma: answer.start }))}</text>`,
  ];
}

/** The names of the faint curves in rows above the picture: [{ name, index, x }] each, x from the left end. */
function legendRows(others, wide) {
  const rows = [];
  let x = Infinity;
  others.forEach((curve, index) => {
    const name = curve.name.length > MAX_NAME ? `${curve.name.slice(0, MAX_NAME - 1)}…` : curve.name;
    const needs = 20 + LETTER * name.length;
    if (x + needs > wide) {
      rows.push([]);
      x = 0;
    }
    rows.at(-1).push({ name, index, x });
    x += needs + 8;
  });
  return rows;
}

function legend(frame) {
  return frame.rows.flatMap((row, line) =>
    row.flatMap(({ name, index, x }) => {
      const y = MARGIN.top + 3 + TEXT_LINE * line;
      const left = frame.left + x;
      return [
        `<line class="ss-other ss-other-${index}" x1="${number(left)}" x2="${number(left + 14)}" y1="${y}" y2="${y}"/>`,
        `<text class="ss-quiet" x="${number(left + 18)}" y="${y + 3}">${escaped(name)}</text>`,
      ];
    }),
  );
}

function number(value) {
  return Math.round(value * 10) / 10;
}
