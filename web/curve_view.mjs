// One curve on the page: the picture, its words and its button. Draws answers of Python, knows no graph.
import { curveMarkup, frameOf, hoverMarkup, readout } from "./curve_svg.mjs";
import { inWords, say } from "./words.mjs";

const SVG = "http://www.w3.org/2000/svg";
const PICTURE = 140; // with the space around the words
const TALLEST = 340;
/** Elements narrower than this are not laid out yet: every letter may stand on a line of its own. */
export const NARROWEST = 60;

export class CurveView {
  constructor({ onCopy, onWheel, onTaller }) {
    this.answer = null;
    this.pointed = null; // share of the picture's width, while the pointer is over it
    this.onTaller = onTaller;
    this.height = 180; // what it needs, in pixels; only grows
    this.element = make("div", "sigmasmith sigmasmith-curve");
    this.picture = make("div", "ss-picture");
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("role", "img");
    this.copy = make("button", "ss-copy");
    this.copy.type = "button";
    this.copy.title = say("copyCurve");
    this.copy.setAttribute("aria-label", this.copy.title);
    this.copy.innerHTML = '<i class="pi pi-share-alt" aria-hidden="true"></i>';
    this.words = make("div", "ss-words");
    this.said = make("div");
    this.words.append(this.said);
    this.picture.append(this.svg, this.copy);
    this.element.append(this.picture, this.words);

    this.copy.addEventListener("click", onCopy);
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.unhover());
    this.element.addEventListener("wheel", (event) => onWheel?.(event, this.words));
    // Sizes are told, never asked for: asking makes the browser lay out the whole page at once.
    this.width = this.pictureHeight = 0;
    this.sizes = new ResizeObserver((entries) => entries.forEach((entry) => this.resized(entry)));
    this.sizes.observe(this.picture);
    this.sizes.observe(this.said);
  }

  destroy() {
    this.sizes.disconnect();
  }

  show(sent) {
    const answer = inWords(sent);
    const curves = sent.plot?.curves.map((curve, index) => ({ ...curve, ...answer.curves?.[index] }));
    this.answer = { ...answer, plot: { ...sent.plot, curves } };
    const texts = answer.problem
      ? [make("p", "ss-problem", answer.problem)]
      : [
          make("p", "ss-summary", answer.summary),
          ...answer.warnings.map((text) => make("p", "ss-warning", text)),
          ...(answer.hint ? [make("p", "ss-hint", answer.hint)] : []),
        ];
    this.said.replaceChildren(...texts);
    this.element.classList.toggle("ss-empty", Boolean(answer.problem));
    this.draw();
  }

  resized({ target, contentRect }) {
    if (target === this.said) {
      this.fit(contentRect);
    } else {
      this.width = Math.round(contentRect.width);
      this.pictureHeight = Math.round(contentRect.height);
      this.draw();
    }
  }

  /** Grow until all words can be read; never shrink, or nodes would jump about while somebody types. */
  fit({ width, height }) {
    const needed = Math.min(TALLEST, PICTURE + Math.ceil(height));
    if (!height || width < NARROWEST || !this.answer || this.answer.problem || needed <= this.height) return;
    this.height = needed;
    this.element.style.minHeight = `${needed}px`;
    this.onTaller?.();
  }

  draw() {
    if (!this.answer) return;
    this.svg.setAttribute("aria-label", this.answer.problem ?? this.answer.aria);
    this.frame = null;
    if (this.answer.problem) {
      this.svg.replaceChildren();
    } else if (this.width >= NARROWEST && this.pictureHeight >= 40) {
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.pictureHeight}`);
      this.svg.innerHTML = curveMarkup(this.answer, this.width, this.pictureHeight);
      this.frame = frameOf(this.answer.plot, this.width, this.pictureHeight);
      this.read();
    }
  }

  hover(event) {
    // The canvas scales its nodes: pixels on the screen are not those of the picture.
    const box = this.svg.getBoundingClientRect();
    this.pointed = (event.clientX - box.left) / box.width;
    this.read();
  }

  unhover() {
    this.pointed = null;
    this.read();
  }

  /** Show what is under the pointer, or nothing. */
  read() {
    const layer = this.svg.querySelector(".ss-hover");
    if (!this.frame || !layer) return;
    const shown = this.pointed !== null;
    if (shown) layer.innerHTML = hoverMarkup(readout(this.answer, this.frame, this.pointed * this.frame.width), this.frame);
    layer.setAttribute("visibility", shown ? "visible" : "hidden");
  }
}

/** An element with a class and, where given, a text. */
export function make(tag, className = "", text = undefined) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
