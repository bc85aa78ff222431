// Preset files dropped on the graph or on a Load Preset node.
import { app } from "../../scripts/app.js";
import { ask, confirmed, tell, tellProblem } from "./host.mjs";
import { setPreset } from "./load_preset.mjs";
import { say } from "./words.mjs";
import { isPreset, oneSmallFile } from "./preset_file.mjs";

// Drops that were handed back: the host must have them as if we had never been there.
const handedBack = new WeakSet();

/** Add a preset file to the library and say so; the name, or null where the file is refused. */
export async function addFile(file, changed) {
  try {
    const { name, workflow } = await ask("/sigmasmith/library/file", file);
    changed();
    tell(say("added", { name }), "success");
    return { name, workflow };
  } catch (error) {
    tellProblem(error);
    return null;
  }
}

/** Ask whether to open the workflow that a preset file carries. */
export async function offerWorkflow(file) {
  const agreed = await confirmed(say("openWorkflow"), say("carriesWorkflow", { file: file.name }));
  if (agreed) await app.handleFile(file);
}

/** Let a Load Preset node take preset files. */
export function acceptDrops(node, changed) {
  node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
  node.onDragDrop = async (event) => {
    const file = oneSmallFile(event.dataTransfer);
    if (!file) return false;
    const added = await addFile(file, changed);
    if (added) {
      setPreset(node, added.name);
      if (added.workflow) await offerWorkflow(file);
    }
    return true;
  };
}

/** Take preset files that are dropped anywhere else on the graph. All other drops reach the host unchanged. */
export function acceptGraphDrops(changed) {
  const graph = document.getElementById("graph-canvas-container") ?? app.canvas.canvas.parentElement;
  graph.addEventListener("drop", (event) => void take(event, changed), { capture: true });
}

/** The node that takes a drop itself: the canvas remembers it, Nodes 2.0 finds it by the element. */
function nodeThatTakes({ target }) {
  const id = target.closest?.("[data-node-id]")?.dataset.nodeId;
  const node = app.dragOverNode ?? (id && app.canvas.graph?.getNodeById(id));
  return node?.onDragDrop ? node : null;
}

async function take(event, changed) {
  if (handedBack.has(event) || nodeThatTakes(event)) return;
  const file = oneSmallFile(event.dataTransfer);
  if (!file) return;
  // Whether it is a preset is known only after a look inside, when the event is over: it is held up and given back.
  event.preventDefault();
  event.stopImmediatePropagation();
  const { target, clientX, clientY } = event;
  if (!(await isPreset(file))) {
    giveBack(target, file, { clientX, clientY });
    return;
  }
  const added = await addFile(file, changed);
  if (added?.workflow) await offerWorkflow(file);
}

function giveBack(target, file, place) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(file);
  const again = new DragEvent("drop", { bubbles: true, cancelable: true, composed: true, dataTransfer, ...place });
  handedBack.add(again);
  target.dispatchEvent(again);
}
