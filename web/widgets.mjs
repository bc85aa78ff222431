// Elements of ours inside a node, in both renderers.

const MIN_WIDTH = 300;
const MARGINS = 20; // that the classic canvas leaves above and below an element

/** Put a view into a node. It says in `height` how many pixels it needs, and calls `grow` of the node when that changes. */
export function addView(node, name, view) {
  const widget = node.addDOMWidget(name, name, view.element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => view.height + MARGINS,
    ...(view.fixed ? { getMaxHeight: () => view.height + MARGINS } : {}),
  });
  widget.serialize = false;
  return widget;
}

/** Make room for the elements; a node that is larger stays as it is. */
export function grow(node) {
  const [width, height] = node.computeSize();
  const wanted = [Math.max(node.size[0], width, MIN_WIDTH), Math.max(node.size[1], height)];
  if (wanted[0] <= node.size[0] && wanted[1] <= node.size[1]) return;
  node.setSize(wanted);
  node.setDirtyCanvas?.(true, true);
}

/** A function that calls another one after the original. */
export function after(original, then) {
  return function (...given) {
    const result = original?.apply(this, given);
    then(...given);
    return result;
  };
}

/** The node of an execution id, such as 12, or 7:3 inside a subgraph; undefined where it is not on the page. */
export function nodeOf(id, root) {
  let graph = root;
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(Number(part)) ?? graph?.getNodeById(part);
    graph = node?.subgraph;
  }
  return node ?? undefined;
}
