// One curve on the page: the picture, its words and its button. Draws answers of Python, knows no graph.
import { curveMarkup, frameOf, hoverMarkup, readout } from "./curve_svg.mjs";

const SVG = "http://www.w3.org/2000/svg";
const PICTURE = 130;
const TALLEST = 340;

export class CurveView {
  constructor({ onCopy, onWheel, onTaller }) {
    this.answer = null;
    this.onTaller = onTaller;
    this.height = 180; // what it needs, in pixels; only grows
    this.element = make("div", "sigmasmith sigmasmith-curve");
    this.picture = make("div", "ss-picture");
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("role", "img");
    this.copy = make("button", "ss-copy");
    this.copy.type = "button";
    this.copy.title = "Copy this schedule as a share code";
    this.copy.setAttribute("aria-label", this.copy.title);
    this.copy.innerHTML = '<i class="pi pi-share-alt" aria-hidden="true"></i>';
    this.words = make("div", "ss-words");
    this.picture.append(this.svg, this.copy);
    this.element.append(this.picture, this.words);

    this.copy.addEventListener("click", onCopy);
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.unhover());
    this.element.addEventListener("wheel", (event) => onWheel?.(event, this.words));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.picture);
  }

  destroy() {
    this.sizes.disconnect();
  }

  show(answer) {
    this.answer = answer;
    this.words.replaceChildren();
    if (answer.problem) {
      this.words.append(make("p", "ss-problem", answer.problem));
    } else {
      this.words.append(make("p", "ss-summary", answer.summary));
      for (const text of answer.warnings) this.words.append(make("p", "ss-warning", text));
      if (answer.hint) this.words.append(make("p", "ss-hint", answer.hint));
    }
    this.element.classList.toggle("ss-empty", Boolean(answer.problem));
    this.fit();
    this.draw();
  }

  /** Grow until all words can be read; never shrink, or nodes would jump about while somebody types. */
  fit() {
    const needed = Math.min(TALLEST, PICTURE + this.words.scrollHeight);
    if (this.answer.problem || !this.words.clientWidth || needed <= this.height) return;
    this.height = needed;
    this.element.style.minHeight = `${needed}px`;
    this.onTaller?.();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.picture;
    if (!this.answer || width < 60 || height < 40) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("aria-label", this.answer.problem ?? this.answer.aria);
    this.svg.innerHTML = this.answer.problem ? "" : curveMarkup(this.answer, width, height);
    this.frame = this.answer.problem ? null : frameOf(this.answer.plot, width, height);
  }

  hover(event) {
    const layer = this.svg.querySelector(".ss-hover");
    if (!this.frame || !layer) return;
    // The canvas scales its nodes: pixels on the screen are not those of the picture.
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.frame.width;
    layer.innerHTML = hoverMarkup(readout(this.answer, this.frame, x), this.frame);
    layer.setAttribute("visibility", "visible");
  }

  unhover() {
    this.svg.querySelector(".ss-hover")?.setAttribute("visibility", "hidden");
  }
}

/** An element with a class and, where given, a text. */
export function make(tag, className = "", text = undefined) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
