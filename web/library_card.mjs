// One preset of the library as an element.
import { make } from "./curve_view.mjs";
import { inWords, say } from "./words.mjs";
import { escaped, thumbnailMarkup } from "./curve_svg.mjs";

const FITS = {
  yes: ["fits", "fitsHint"],
  noise: ["sameNoise", "sameNoiseHint"],
  no: ["otherModel", "otherModelHint"],
  broken: ["broken", "brokenHint"],
};
const WIDTH = 84;
const HEIGHT = 52;

/**
 * @param preset an entry of /sigmasmith/library.
 * @param does what its buttons call; open and mayRemove say how it is shown.
 */
export function cardElement(preset, does) {
  const card = make("li", `ss-card${does.open ? " ss-open" : ""}`);
  card.append(head(preset, does));
  if (does.open) card.append(body(preset, does));
  return card;
}

/** A fit that runs, with its bar; or one that is kept, with a button by which it goes on. */
export function statusElement({ title, text, done, kept }, goOn) {
  const card = make("li", "ss-card ss-open ss-status");
  const bar = make("div", "ss-bar");
  bar.style.setProperty("--ss-done", `${100 * done}%`);
  card.append(make("div", "ss-name", title), make("div", "ss-line", text), bar);
  if (kept) card.append(tools(action(say("goOn"), say("goOnHint"), goOn, "ss-first")));
  return card;
}

function head(preset, does) {
  const button = make("button", "ss-head");
  button.type = "button";
  button.setAttribute("aria-expanded", String(does.open));
  button.addEventListener("click", does.toggle);
  const words = make("div");
  const name = make("div", "ss-name", preset.name);
  if (FITS[preset.fit]) {
    const [text, title] = FITS[preset.fit];
    const mark = make("span", `ss-fit ss-fit-${preset.fit}`, say(text));
    mark.title = say(title);
    name.append(mark);
  }
  words.append(name);
  if (preset.problem) {
    words.append(make("div", "ss-line", preset.problem));
  } else {
    const about = [preset.family, preset.sampler, say("stepsOf", { steps: preset.steps.join(", ") })].filter(Boolean);
    words.append(make("div", "ss-line", about.join(" · ")));
    const middle = Math.floor((preset.gains.length - 1) / 2);
    if (middle >= 0) {
      const [steps, gain] = inWords(preset).gains[middle];
      const none = preset.gains[middle][1].startsWith("no gain");
      words.append(make("div", none ? "ss-line" : "ss-gain", say("gainAt", { gain, steps })));
    }
  }
  button.append(picture(preset), words);
  return button;
}

function picture(preset) {
  const holder = make("div");
  const markup = preset.thumbnail ? thumbnailMarkup(preset.thumbnail, WIDTH, HEIGHT) : "";
  const label = preset.thumbnail ? say("curveOf", preset) : say("noCurve");
  holder.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">${markup}</svg>`;
  return holder.firstElementChild;
}

function body(preset, does) {
  const element = make("div", "ss-body");
  for (const text of inWords(preset).differences) element.append(make("p", "ss-warning", text));
  if (!preset.problem) {
    element.append(factList(preset));
    const withWorkflow = make("input");
    withWorkflow.type = "checkbox";
    const label = make("label");
    label.title = say("withWorkflowHint");
    label.append(withWorkflow, say("withWorkflow"));
    element.append(
      tools(
        action(say("use"), say("useHint"), does.use, "ss-first"),
        action(say("copyShareCode"), say("copyShareCodeHint"), does.code),
        action(say("export"), say("exportHint"), () => does.exportFile(withWorkflow.checked)),
        label,
      ),
    );
  }
  element.append(changes(preset, does));
  return element;
}

function changes(preset, does) {
  const fixed = !preset.changeable || !does.mayRemove;
  const why = say(does.mayRemove ? "readOnly" : "shared");
  const rename = action(say("rename"), fixed ? why : say("renameHint"), does.rename);
  const remove = action(say("delete"), fixed ? why : say("deleteHint"), does.remove);
  rename.disabled = remove.disabled = fixed;
  if (preset.problem) return tools(remove);
  return tools(action(say("duplicate"), say("duplicateHint"), does.duplicate), rename, remove);
}

function factList(preset) {
  const list = make("dl");
  const { gains, facts } = inWords(preset);
  for (const [steps, text] of gains) list.append(make("dt", "", say("stepsOf", { steps })), make("dd", "", text));
  for (const [label, text] of facts) list.append(make("dt", "", label), make("dd", "", text));
  return list;
}

function tools(...buttons) {
  const row = make("div", "ss-tools ss-notes");
  row.append(...buttons);
  return row;
}

function action(text, title, onClick, className = "") {
  const element = make("button", className, text);
  element.type = "button";
  element.title = title;
  element.addEventListener("click", onClick);
  return element;
}
