// Queue what is on the page, as its button does, and wait for the end.
import { SLOWNESS } from "./driver.mjs";

const PATIENCE = 240_000 * SLOWNESS;

/** Returns the outputs by node id; throws what the host says when it refuses the graph or a node fails. */
export function queueAndWait(tab) {
  return tab.page.evaluate(async (patience) => {
    const { app } = window.ss;
    const { api } = window.comfyAPI.api;
    const outputs = {};
    const keep = ({ detail }) => (outputs[detail.node] = detail.output);
    api.addEventListener("executed", keep);
    const ended = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("the prompt did not end")), patience);
      api.addEventListener("execution_success", resolve, { once: true });
      const failed = ({ detail }) => reject(new Error(`${detail.node_type}: ${detail.exception_message}`));
      api.addEventListener("execution_error", failed, { once: true });
    });
    await app.queuePrompt(0);
    if (app.lastNodeErrors && Object.keys(app.lastNodeErrors).length) throw new Error(JSON.stringify(app.lastNodeErrors));
    await ended;
    api.removeEventListener("executed", keep);
    return outputs;
  }, PATIENCE);
}
