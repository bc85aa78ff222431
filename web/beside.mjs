// Two pictures of the same noise behind one slider, and which two of several.
import { make } from "./curve_view.mjs";
import { say, told } from "./words.mjs";

const STEP = 0.5; // percent of the width

export class Beside {
  /** @param urlOf gives the address of one entry of a node's `images`. */
  constructor(urlOf) {
    this.urlOf = urlOf;
    this.noise = 0;
    this.element = make("div", "ss-beside");
    this.stage = make("div", "ss-stage");
    this.pictures = [make("img"), make("img", "ss-over")];
    this.line = make("div", "ss-divider");
    this.slider = make("input");
    Object.assign(this.slider, { type: "range", min: 0, max: 100, step: STEP, value: 50 });
    this.slider.setAttribute("aria-label", say("slider"));
    this.stage.append(...this.pictures, this.line, this.slider);
    this.choices = [make("select"), make("select")];
    this.errors = [make("div", "ss-error"), make("div", "ss-error")];
    const sides = make("div", "ss-sides");
    this.choices.forEach((choice, side) => choice.setAttribute("aria-label", say(side ? "rightPicture" : "leftPicture")));
    for (const side of [0, 1]) {
      const row = make("div", "ss-side");
      row.append(make("span", "ss-mark", side ? "▐" : "▌"), this.choices[side], this.errors[side]);
      sides.append(row);
    }
    this.noises = make("div", "ss-noises");
    this.element.append(this.stage, sides, this.noises);

    this.slider.addEventListener("input", () => this.cut());
    for (const choice of this.choices) choice.addEventListener("change", () => this.draw());
    this.pictures[0].addEventListener("load", ({ target }) => {
      this.stage.style.aspectRatio = `${target.naturalWidth} / ${target.naturalHeight}`;
    });
    this.cut();
  }

  /** @param data title, entries of label, error and images, and the numbers of the two to begin with. */
  show(data) {
    this.data = data;
    this.noise = Math.min(this.noise, data.entries[0].images.length - 1);
    for (const [side, choice] of this.choices.entries()) {
      choice.replaceChildren(...data.entries.map((entry, number) => new Option(told(entry.label), number)));
      choice.value = String(side ? data.right : data.left);
    }
    const count = data.entries[0].images.length;
    this.noises.replaceChildren(...(count > 1 ? Array.from({ length: count }, (_, number) => this.noiseButton(number)) : []));
    this.draw();
  }

  noiseButton(number) {
    const button = make("button", "", say("noise", { number: number + 1 }));
    button.type = "button";
    button.addEventListener("click", () => {
      this.noise = number;
      this.draw();
    });
    return button;
  }

  draw() {
    const shown = this.choices.map((choice) => this.data.entries[Number(choice.value)]);
    // The lower picture is the right one; the left one lies over it, cut off where the slider stands.
    for (const [layer, entry] of [shown[1], shown[0]].entries()) {
      this.pictures[layer].src = this.urlOf(entry.images[this.noise]);
      this.pictures[layer].alt = told(entry.label);
    }
    const [left, right] = shown.map((entry) => entry.error);
    const nearer = left && right && left > right ? say("nearer", { times: (left / right).toPrecision(2) }) : "";
    const words = (error) => (error === null ? "" : say("error", { error: error.toPrecision(3) }));
    this.errors[0].textContent = words(left);
    this.errors[1].textContent = [words(right), nearer].filter(Boolean).join(" · ");
    for (const [number, button] of [...this.noises.children].entries()) button.setAttribute("aria-pressed", String(number === this.noise));
  }

  cut() {
    this.stage.style.setProperty("--ss-at", `${this.slider.value}%`);
  }
}
