// What we need of the host's page: requests, messages, questions, the clipboard.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { say } from "./words.mjs";

/** What the parts of the page tell each other: "library" and "graph", where these have changed. */
export const news = new EventTarget();

/** POST JSON, or the bytes of a Blob; the answer as JSON. Rejects with an Error whose message is for the person. */
export async function ask(path, body) {
  const reply = await send(path, body);
  return reply.json();
}

/** POST JSON; the answer as a Blob. */
export async function askBlob(path, body) {
  const reply = await send(path, body);
  return reply.blob();
}

async function send(path, body) {
  const bytes = body instanceof Blob;
  const headers = { "Content-Type": bytes ? "application/octet-stream" : "application/json" };
  let reply;
  try {
    reply = await api.fetchApi(path, { method: "POST", headers, body: bytes ? body : JSON.stringify(body) });
  } catch {
    throw new Error(say("noAnswer"));
  }
  if (reply.ok) return reply;
  const said = await reply.json().catch(() => ({}));
  throw new Error(said.error ?? say("answered", { status: reply.status }));
}

export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/** A short message; problems stay longer. */
export function tell(text, severity = "info", seconds = severity === "info" || severity === "success" ? 4 : 10) {
  app.extensionManager.toast.add({ severity, summary: "Sigmasmith", detail: text, life: 1000 * seconds });
}

export function tellProblem(error) {
  tell(error.message, "error");
}

/** A text from the person, or null. */
export function askText(title, message, defaultValue = "") {
  return app.extensionManager.dialog.prompt({ title, message, defaultValue });
}

/** Whether the person agrees. */
export function confirmed(title, message, type = "default") {
  return app.extensionManager.dialog.confirm({ title, message, type });
}

/** Put a text on the clipboard; where the page may not (plain http), show it for copying by hand. */
export async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    tell(say("copied", { what }), "success");
  } catch {
    await askText(what, say("copyByHand"), text);
  }
}

export async function copyCode(path, body) {
  try {
    const { code } = await ask(path, body);
    await copyText(code, say("shareCode"));
  } catch (error) {
    tellProblem(error);
  }
}
