// One preset of the library as an element.
import { make } from "./curve_view.mjs";
import { escaped, thumbnailMarkup } from "./curve_svg.mjs";

const FITS = {
  yes: ["fits", "Made for this model"],
  noise: ["same noise levels", "Made for other weights with the same noise levels"],
  no: ["other model", "Made for another kind of model"],
  broken: ["broken", "This file cannot be used"],
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

function head(preset, does) {
  const button = make("button", "ss-head");
  button.type = "button";
  button.setAttribute("aria-expanded", String(does.open));
  button.addEventListener("click", does.toggle);
  const words = make("div");
  const name = make("div", "ss-name", preset.name);
  if (FITS[preset.fit]) {
    const [text, title] = FITS[preset.fit];
    const mark = make("span", `ss-fit ss-fit-${preset.fit}`, text);
    mark.title = title;
    name.append(mark);
  }
  words.append(name);
  if (preset.problem) {
    words.append(make("div", "ss-line", preset.problem));
  } else {
    const about = [preset.family, preset.sampler, `${preset.steps.join(", ")} steps`].filter(Boolean);
    words.append(make("div", "ss-line", about.join(" · ")));
    const gain = preset.gains[Math.floor((preset.gains.length - 1) / 2)];
    if (gain) words.append(make("div", gain[1].startsWith("no gain") ? "ss-line" : "ss-gain", `${gain[1]} at ${gain[0]} steps`));
  }
  button.append(picture(preset), words);
  return button;
}

function picture(preset) {
  const holder = make("div");
  const markup = preset.thumbnail ? thumbnailMarkup(preset.thumbnail, WIDTH, HEIGHT) : "";
  const label = preset.thumbnail ? `Curve of ${preset.name}` : "No curve";
  holder.innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(label)}">${markup}</svg>`;
  return holder.firstElementChild;
}

function body(preset, does) {
  const element = make("div", "ss-body");
  for (const text of preset.differences) element.append(make("p", "ss-warning", text));
  if (!preset.problem) {
    element.append(facts(preset));
    const withWorkflow = make("input");
    withWorkflow.type = "checkbox";
    const label = make("label");
    label.title = "Prompts, notes, titles and paths are taken out of it";
    label.append(withWorkflow, "with the open workflow, without its prompts");
    element.append(
      tools(
        action("Use in the graph", "Set the selected Load Preset node, or add one", does.use, "ss-first"),
        action("Copy share code", "One line of text that holds the schedules", does.code),
        action("Export", "Save the file to give it away", () => does.exportFile(withWorkflow.checked)),
        label,
      ),
    );
  }
  element.append(changes(preset, does));
  return element;
}

function changes(preset, does) {
  const fixed = !preset.changeable || !does.mayRemove;
  const why = does.mayRemove
    ? "This file lies in a folder that is only read"
    : "Off with --multi-user: the library is shared by all";
  const rename = action("Rename", fixed ? why : "Give it another name", does.rename);
  const remove = action("Delete", fixed ? why : "Remove the file", does.remove);
  rename.disabled = remove.disabled = fixed;
  if (preset.problem) return tools(remove);
  return tools(action("Duplicate", "Make a copy", does.duplicate), rename, remove);
}

function facts(preset) {
  const list = make("dl");
  for (const [steps, text] of preset.gains) list.append(make("dt", "", `${steps} steps`), make("dd", "", text));
  for (const [label, text] of preset.facts) list.append(make("dt", "", label), make("dd", "", text));
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
