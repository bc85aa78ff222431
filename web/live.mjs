// Live curves: keeps what every schedule node shows in step with the graph. Python computes, curve_svg.mjs draws.
import { describe } from "./graph.mjs";
import { CurveView } from "./curve_view.mjs";
import { addView, after, grow } from "./widgets.mjs";

const WIDGET = "sigmasmith_curve";
const MAX_BATCH = 64;
const MAX_REMEMBERED = 256;
// Nodes that write presets, which others draw.
export const WRITERS = new Set(["SigmasmithFit", "SigmasmithFitGuider", "SigmasmithAdaptiveSchedule", "SigmasmithSavePreset"]);
// They hold a search plan, which is drawn over the share of noise.
const PLANS = new Set(["SigmasmithSearchPlan", "SigmasmithSearchSampler"]);
// It takes a preset as one of many schedules, and shows a table of them.
const COMPARISON = "SigmasmithCompare";

/** Whether a node shows a curve: one of ours that takes or gives a preset or sigmas, but for the comparison, or a plan. */
export function hasCurve(node) {
  if (!(node.comfyClass ?? "").startsWith("Sigmasmith") || node.comfyClass === COMPARISON) return false;
  if (PLANS.has(node.comfyClass)) return true;
  const types = new Set(["SIGMAS", "SIGMASMITH_PRESET"]);
  const takesPreset = (node.inputs ?? []).some((input) => input.type === "SIGMASMITH_PRESET");
  return takesPreset || (node.outputs ?? []).some((output) => types.has(output.type));
}

export class LiveCurves {
  /**
   * @param rootGraph gives the outermost graph.
   * @param ask (path, body) -> answer; rejects with an Error whose message is for the person.
   * @param copyCode called with a request when the person wants its share code.
   * @param wheel takes wheel events over a curve, and the element of its words, which may scroll.
   */
  constructor({ rootGraph, ask, copyCode, wheel }) {
    this.rootGraph = rootGraph;
    this.ask = ask;
    this.copyCode = copyCode;
    this.wheel = wheel;
    this.shown = new Map(); // node -> { view, key: what is drawn, wanted: what is to be }
    this.answers = new Map(); // key -> answer, the latest last
    this.waiting = false;
    this.busy = false;
  }

  attach(node) {
    const view = new CurveView({
      onCopy: () => this.copyCode(describe(node, this.rootGraph())),
      onWheel: this.wheel,
      onTaller: () => grow(node),
    });
    const widget = addView(node, WIDGET, view);
    // Host widgets are followed one by one: "graphChanged" comes only when the pointer is let go.
    for (const other of node.widgets) {
      if (other !== widget) other.callback = after(other.callback, () => this.soon());
    }
    node.onConnectionsChange = after(node.onConnectionsChange, () => this.soon());
    if (WRITERS.has(node.comfyClass)) node.onExecuted = after(node.onExecuted, () => this.forget());
    node.onRemoved = after(node.onRemoved, () => this.detach(node));
    this.shown.set(node, { view, key: "", wanted: "" });
    grow(node);
    this.soon();
  }

  /** A node has got the size that its workflow file says, perhaps from before there were curves. */
  loaded(node) {
    if (this.shown.has(node)) grow(node);
  }

  detach(node) {
    this.shown.get(node)?.view.destroy();
    this.shown.delete(node);
  }

  /** Look at all nodes once the present work is done. */
  soon() {
    if (this.waiting) return;
    this.waiting = true;
    setTimeout(() => {
      this.waiting = false;
      void this.update();
    });
  }

  /** Forget all answers: files may have changed. */
  forget() {
    this.answers.clear();
    for (const state of this.shown.values()) state.key = "";
    this.soon();
  }

  /** Draw what has changed; asks for one batch at a time and takes the latest values after it. */
  async update() {
    const missing = new Map();
    for (const [node, state] of this.shown) {
      if (!node.graph) continue;
      const request = describe(node, this.rootGraph());
      const key = JSON.stringify(request);
      if (key === state.key) continue;
      state.wanted = key;
      const known = this.answers.get(key);
      if (known) this.show(state, known);
      else if (missing.size < MAX_BATCH) missing.set(key, request);
    }
    if (!missing.size || this.busy) return;
    this.busy = true;
    try {
      const { curves } = await this.ask("/sigmasmith/curves", { nodes: [...missing.values()] });
      [...missing.keys()].forEach((key, index) => this.remember(key, curves[index] ?? { problem: "The server gave no curve." }));
      // Drawn at once; the values of all nodes, which may have changed meanwhile, are looked at after that.
      for (const state of this.shown.values()) if (missing.has(state.wanted)) this.show(state, this.answers.get(state.wanted));
    } catch (error) {
      // Not remembered for good: the server may be back at the next change.
      for (const state of this.shown.values()) {
        state.key = "";
        state.view.show({ problem: error.message });
      }
      return;
    } finally {
      this.busy = false;
    }
    this.soon();
  }

  show(state, answer) {
    state.key = state.wanted;
    state.view.show(answer);
  }

  remember(key, answer) {
    this.answers.set(key, answer);
    while (this.answers.size > MAX_REMEMBERED) this.answers.delete(this.answers.keys().next().value);
  }
}
