// A fit anew is asked for once: the switch goes back as soon as its graph is queued.

export function fitOnce(node) {
  const refit = node.widgets?.find((widget) => widget.name === "refit");
  if (!refit) return;
  refit.afterQueued = () => {
    if (!refit.value) return;
    refit.value = false;
    refit.callback?.(false);
  };
}
