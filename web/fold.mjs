// The classic canvas shows all inputs of a node: here those that are marked as advanced fold away. Nodes 2.0 does so itself.
import { say } from "./words.mjs";

const WIDGET = "sigmasmith_more";
// Front ends of 2025 leave room for hidden widgets too, but not for one that asks for less than the gap of 4 after it.
const NO_ROOM = () => [0, -4];
// Numbers of a second model, and the inputs that bring it: while it is there they stand with the others.
const SECOND_MODEL = { boundary: ["model_low", "guider_low"], cfg_low: ["model_low"] };

/** Fold the advanced inputs of a node, and give it a button that shows them; those that come through a link or are
 * needed by one stay. */
export function foldAdvanced(node) {
  const advanced = new Set(namesOfAdvanced(node.constructor?.nodeData));
  const widgets = (node.widgets ?? []).filter((widget) => advanced.has(widget.name));
  if (!widgets.length) return;
  let open = false;
  // Behind all values, so that those of saved graphs keep their places; Nodes 2.0 reads the options, the canvas the widget.
  const button = node.addWidget("button", WIDGET, null, () => {
    open = !open;
    node.setSize([node.size[0], show()]);
  });
  button.serialize = false;
  Object.assign(button.options, { serialize: false, hidden: true });
  const show = () => {
    const before = node.computeSize()[1];
    for (const widget of widgets) {
      const needed = (SECOND_MODEL[widget.name] ?? []).some((name) => isLinked(node, name));
      widget.hidden = !open && !needed && !isLinked(node, widget.name);
      if (widget.options.advanced === needed) foldInVue(node, widget, !needed);
      if (widget.hidden) widget.computeSize = NO_ROOM;
      else delete widget.computeSize;
    }
    button.label = say(open ? "fewerInputs" : "moreInputs");
    node.setDirtyCanvas?.(true, true);
    return node.size[1] + node.computeSize()[1] - before;
  };
  node.setSize([node.size[0], show()]);
  const connected = node.onConnectionsChange;
  node.onConnectionsChange = function (...given) {
    connected?.apply(this, given);
    show();
    // Not by what show() adds: a saved graph that is loaded has room for them already.
    node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
  };
}

/** Nodes 2.0 folds by the options, and reads them again where the list of widgets changes. */
function foldInVue(node, widget, folded) {
  widget.options.advanced = folded;
  node.widgets.push(node.widgets.pop());
}

/** Names of the inputs that a node's description marks as advanced. */
export function namesOfAdvanced(description) {
  const groups = [description?.input?.required ?? {}, description?.input?.optional ?? {}];
  return groups.flatMap((group) => Object.entries(group)).filter(([, spec]) => spec[1]?.advanced).map(([name]) => name);
}

function isLinked(node, name) {
  return (node.inputs ?? []).some((input) => input.name === name && input.link != null);
}
