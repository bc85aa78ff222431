// Live curves: keeps what every schedule node shows in step with the graph. Python computes, curve_svg.mjs draws.
import { describe } from "./graph.mjs";
import { CurveView } from "./curve_view.mjs";
import { addView, after, grow, nodeOf } from "./widgets.mjs";
import { say } from "./words.mjs";

const WIDGET = "sigmasmith_curve";
const MAX_BATCH = 64;
// Nodes that write presets, which others draw.
export const WRITERS = new Set(["SigmasmithFit", "SigmasmithFitGuider", "SigmasmithAdaptiveSchedule", "SigmasmithSavePreset"]);
// They hold a search plan, which is drawn over the share of noise.
const PLANS = new Set(["SigmasmithSearchPlan", "SigmasmithSearchSampler"]);
// It takes a preset as one of many schedules, and shows a table of them.
const COMPARISON = "SigmasmithCompare";
// It gives a model out, and every sampler behind it runs a schedule of ours.
const AUTO = "SigmasmithAuto";

/** Whether a node shows a curve: Auto, a search plan, or what takes or gives a preset or sigmas, but the comparison. */
export function hasCurve(node) {
  if (node.comfyClass === AUTO) return true;
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
   * @param onShown called with a node whose curve says something new.
   */
  constructor({ rootGraph, ask, copyCode, wheel, onShown }) {
    this.rootGraph = rootGraph;
    this.ask = ask;
    this.copyCode = copyCode;
    this.wheel = wheel;
    this.onShown = onShown;
    this.shown = new Map(); // node -> { view, key: what is drawn, wanted: what is to be }
    this.waiting = false;
    this.busy = false;
    this.age = 0; // how often files may have changed
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
    node.onRemoved = after(node.onRemoved, () => this.detach(node));
    if (WRITERS.has(node.comfyClass)) node.onExecuted = after(node.onExecuted, () => this.ran());
    this.shown.set(node, { view, key: "", wanted: "" });
    grow(node);
    this.soon();
  }

  /** What stands below a node's curve, "" where there is none. */
  saidOf(node) {
    return this.shown.get(node)?.view.answer?.summary ?? "";
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

  /** Ask for all curves anew: files may have changed. */
  forget() {
    this.age += 1;
    for (const state of this.shown.values()) state.key = "";
    this.soon();
  }

  /** A run, or the part of it that may write presets, is over. */
  ran() {
    const writes = ({ comfyClass }) => WRITERS.has(comfyClass) || comfyClass === AUTO;
    if ([...this.shown.keys()].some(writes)) this.forget();
  }

  /** Auto says what it has chosen, perhaps a preset that it has just made: its run goes on long after that. */
  told(id) {
    if (nodeOf(id, this.rootGraph())?.comfyClass === AUTO) this.ran();
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
      // No answer is kept for later: the file behind a name may be another one by then.
      if (missing.size < MAX_BATCH) missing.set(key, request);
    }
    if (!missing.size || this.busy) return;
    this.busy = true;
    const age = this.age;
    try {
      const { curves } = await this.ask("/sigmasmith/curves", { nodes: [...missing.values()] });
      const answers = new Map([...missing.keys()].map((key, index) => [key, curves[index] ?? { problem: say("noCurveGiven") }]));
      // Drawn at once; the values of all nodes, which may have changed meanwhile, are looked at after that.
      for (const [node, state] of this.shown) if (answers.has(state.wanted)) this.show(node, state, answers.get(state.wanted), age);
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

  show(node, state, answer, age) {
    // Files that have changed since it was asked for: it will be asked for once more.
    state.key = age === this.age ? state.wanted : "";
    state.view.show(answer);
    this.onShown(node);
  }
}
