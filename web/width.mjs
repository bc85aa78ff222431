// Hosts cut a label or a value that has no room in its node.

// What stands beside label and value on the classic canvas: margins and arrows; in Nodes 2.0: what the value's box, three
// fifths of the node, has of its own.
const BESIDE = 90;
const IN_BOX = 44;
const SHARE = 0.6;
// Values may be as long as a file name.
const MOST = 420;

/** Make a new node so wide that the label and the value of each of its widgets can be read in both renderers. */
export function widen(node, measure = textWidth) {
  const texts = (node.widgets ?? []).filter((widget) => !widget.element && typeof widget.value !== "object");
  const wanted = texts.map((widget) => {
    const value = measure(String(widget.value ?? ""));
    return Math.max(measure(widget.label ?? widget.name) + value + BESIDE, (value + IN_BOX) / SHARE);
  });
  const width = Math.ceil(Math.min(MOST, Math.max(0, ...wanted)));
  if (width > node.size[0]) node.setSize([width, node.size[1]]);
}

let pen = null;

function textWidth(text) {
  pen ??= document.createElement("canvas").getContext("2d");
  pen.font = "12px Inter, sans-serif";
  return pen.measureText(text).width;
}
