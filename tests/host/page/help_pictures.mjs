// One picture of each of our nodes, after a run of FOLDER/help_workflow.json. Run by ../help_pictures.py.
import { readFile } from "node:fs/promises";
import { run, sleep } from "./driver.mjs";
import { queueAndWait } from "./queue.mjs";

// Menus lie over the canvas and would be in the pictures.
const MENUS = ".comfyui-menu, .side-tool-bar-container, .p-toast, .actionbar-container, .workflow-tabs-container, nav,"
  + " .graph-canvas-panel > *:not(canvas) { visibility: hidden !important; }";

await run({
  pictures: async (tab) => {
    await tab.page.setViewport({ width: 1500, height: 1700 });
    const workflow = JSON.parse(await readFile(`${tab.folder}/help_workflow.json`, "utf8"));
    await tab.in((data) => window.ss.app.loadGraphData(data), workflow);
    await sleep(1000);
    await queueAndWait(tab);
    await tab.page.addStyleTag({ content: MENUS });
    const ids = await tab.in(() => window.ss.app.graph._nodes.filter((n) => n.type.startsWith("Sigmasmith")).map((n) => n.id));
    for (const id of ids) {
      const { type, box } = await tab.in((wanted) => {
        const { app } = window.ss;
        const node = app.graph._nodes.find((n) => n.id === wanted);
        app.canvas.ds.scale = 1;
        app.canvas.ds.offset = [300 - node.pos[0], 150 - node.pos[1]];
        app.canvas.setDirty(true, true);
        const { x, y } = window.ss.place(node.pos[0], node.pos[1]);
        return { type: node.type, box: { x: x - 10, y: y - 40, width: node.size[0] + 20, height: node.size[1] + 50 } };
      }, id);
      await sleep(900);
      await tab.page.screenshot({ path: `${tab.folder}/${type}.png`, clip: box });
    }
  },
});
