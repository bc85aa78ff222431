// What a node of ours says and shows while it runs and after: a line of progress, pictures, a table. Python words it.
import { NARROWEST, make } from "./curve_view.mjs";
import { Beside } from "./beside.mjs";
import { say, told } from "./words.mjs";
import { addView, after, grow, nodeOf } from "./widgets.mjs";

const WIDGET = "sigmasmith_outcome";
// Entries of a node's output, as nodes/schema.py names them.
const PICTURES = "sigmasmith_pictures";
const REPORT = "sigmasmith_report";

class OutcomeView {
  constructor({ urlOf, saidAbove, onOffer, onTaller, onWheel }) {
    this.saidAbove = saidAbove;
    this.height = 0; // what it needs, in pixels; only grows
    this.fixed = true;
    this.onTaller = onTaller;
    this.urlOf = urlOf;
    this.element = make("div", "sigmasmith sigmasmith-outcome");
    this.inner = make("div", "ss-inner");
    this.said = make("div", "ss-said");
    this.said.setAttribute("role", "status");
    this.bar = make("div", "ss-bar");
    this.offer = make("button", "ss-first");
    this.offer.type = "button";
    this.offer.hidden = this.bar.hidden = true;
    this.offer.addEventListener("click", () => onOffer(this.minutes));
    this.table = make("div", "ss-table");
    this.inner.append(this.said, this.bar, this.offer, this.table);
    this.element.append(this.inner);
    this.element.addEventListener("wheel", (event) => onWheel?.(event, this.table));
    this.sizes = new ResizeObserver(([entry]) => this.fit(entry.contentRect));
    this.sizes.observe(this.inner);
  }

  destroy() {
    this.sizes.disconnect();
  }

  fit({ width, height }) {
    const needed = Math.ceil(height) + 16;
    if (width < NARROWEST || needed <= this.height) return;
    this.height = needed;
    this.onTaller();
  }

  status({ text, done, offer, kept }) {
    this.said.textContent = text;
    this.compare();
    this.bar.hidden = done === undefined;
    this.bar.style.setProperty("--ss-done", `${100 * (done ?? 0)}%`);
    this.minutes = offer;
    this.offer.hidden = offer === undefined && !kept;
    this.offer.textContent = kept ? say("goOn") : say("tuneNow", { minutes: offer });
    this.offer.title = kept ? say("goOnHint") : "";
  }

  /** Once what was forecast has run, the curve above says the same: no sentence stands in the node twice. */
  compare() {
    const above = this.saidAbove();
    this.said.hidden = above !== "" && this.said.textContent.endsWith(above);
  }

  pictures(data) {
    if (!this.beside) {
      this.beside = new Beside(this.urlOf);
      this.table.before(this.beside.element);
    }
    this.beside.show(data);
  }

  report({ heads, rows, notes }) {
    const line = (cells, tag) => {
      const row = make("tr");
      row.append(...cells.map((cell) => make(tag, "", told(cell))));
      return row;
    };
    const table = make("table");
    table.append(line(heads, "th"), ...rows.map((cells) => line(cells, "td")));
    this.table.replaceChildren(table, ...notes.map((text) => make("p", "", told(text))));
    this.status({ text: "" });
  }
}

export class Outcomes {
  /**
   * @param rootGraph gives the outermost graph.
   * @param urlOf gives the address of an image that the server has.
   * @param saidOf gives what stands below a node's curve.
   * @param onOffer called with a node and the minutes that its tuning may take; without minutes, to go on as it was.
   * @param onChange called when `fits` has changed.
   * @param wheel takes wheel events over a view, and its element that may scroll.
   */
  constructor({ rootGraph, urlOf, saidOf, onOffer, onChange, wheel }) {
    Object.assign(this, { rootGraph, urlOf, saidOf, onOffer, onChange, wheel });
    this.views = new WeakMap(); // node -> its view
    this.fits = new Map(); // node id -> { title, text, done, kept } of a fit that runs, or was interrupted and is kept
  }

  /** Follow a node's results; nothing stands in it before there is something to say. */
  attach(node) {
    node.onExecuted = after(node.onExecuted, (output) => this.executed(node, output));
    node.onRemoved = after(node.onRemoved, () => this.views.get(node)?.destroy());
  }

  status(detail) {
    const { node, said, done, kept = false } = detail;
    const text = told(said ?? detail.text);
    this.of(node)?.status({ ...detail, text });
    if (done === undefined && !this.fits.has(node)) return;
    const title = nodeOf(node, this.rootGraph())?.title ?? "";
    this.fits.set(node, { title, text, done: done ?? this.fits.get(node).done, kept });
    this.onChange();
  }

  /** The curve of a node says something new. */
  compare(node) {
    this.views.get(node)?.compare();
  }

  /** A run is over: fits that are kept for later stay. */
  ran() {
    for (const [node, { kept }] of this.fits) if (!kept) this.fits.delete(node);
    this.onChange();
  }

  /** Pictures of a run that a node behind another one made. */
  pictures({ node, pictures }) {
    if (pictures.length) this.of(node)?.pictures(pictures[0]);
  }

  executed(node, output) {
    const [pictures] = output?.[PICTURES] ?? [];
    const [report] = output?.[REPORT] ?? [];
    if (report) this.view(node).report(report);
    if (pictures) this.view(node).pictures(pictures);
  }

  of(id) {
    const node = nodeOf(id, this.rootGraph());
    return node?.comfyClass?.startsWith("Sigmasmith") ? this.view(node) : undefined;
  }

  view(node) {
    if (this.views.has(node)) return this.views.get(node);
    const view = new OutcomeView({
      urlOf: this.urlOf,
      saidAbove: () => this.saidOf(node),
      onOffer: (minutes) => this.onOffer(node, minutes),
      onTaller: () => grow(node),
      onWheel: this.wheel,
    });
    this.views.set(node, view);
    addView(node, WIDGET, view);
    return view;
  }
}
