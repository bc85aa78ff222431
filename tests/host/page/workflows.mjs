// Every example workflow in FOLDER/workflows: it opens without a dialog, can be read, and runs to an image.
import { readFile, readdir } from "node:fs/promises";
import { check, run, sleep } from "./driver.mjs";
import { queueAndWait } from "./queue.mjs";

const folder = `${process.argv[6]}/workflows`;
const files = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
const workflows = await Promise.all(files.map(async (name) => [name, JSON.parse(await readFile(`${folder}/${name}`, "utf8"))]));

async function opened(tab, workflow) {
  await tab.in((data) => window.ss.app.loadGraphData(data), workflow);
  await sleep(1500);
  return tab.in((saved) => {
    const { app } = window.ss;
    const nodes = app.graph._nodes;
    return {
      dialogs: [...document.querySelectorAll('[role="dialog"]')].map((dialog) => dialog.innerText.slice(0, 200)),
      unknown: nodes.filter((node) => !window.LiteGraph.registered_node_types[node.type]).map((node) => node.type),
      lost: saved.filter((entry) => !nodes.some((node) => String(node.id) === String(entry.id))).map((entry) => entry.type),
      // What a node needs for its inputs and widgets; less, and they would lie over one another.
      small: nodes.filter((node) => node.size[1] < node.computeSize()[1] - 2).map((node) => [node.type, ...node.size, ...node.computeSize()]),
      links: [...(app.graph.links.values?.() ?? Object.values(app.graph.links))].length,
    };
  }, workflow.nodes.map(({ id, type }) => ({ id, type })));
}

const checks = {};
for (const [name, workflow] of workflows) {
  checks[`${name} opens and can be read`] = async (tab) => {
    const found = await opened(tab, workflow);
    await tab.shoot(name);
    check(found.dialogs.length === 0, found.dialogs);
    check(found.unknown.length === 0 && found.lost.length === 0, found);
    check(found.small.length === 0, found.small);
    check(found.links === workflow.links.length, `${found.links} links of ${workflow.links.length}`);
  };
  checks[`${name} runs to an image`] = async (tab) => {
    await opened(tab, workflow);
    const outputs = await queueAndWait(tab);
    const saved = workflow.nodes.filter(({ type }) => type.startsWith("Save") && !type.startsWith("Sigmasmith") && type !== "SavePreset");
    check(saved.length > 0, "no node saves an image");
    for (const { id } of saved) check(outputs[id]?.images?.length > 0, `node ${id} shows no image: ${JSON.stringify(outputs[id])}`);
  };
}
await run(checks);
