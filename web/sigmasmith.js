// Shows what the nodes say while a prompt runs: warnings of Apply Schedule, and how long a fit will take.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const SECONDS = { warning: 12, news: 6 };

function show({ detail }) {
  const { text, warning } = detail;
  app.extensionManager.toast.add({
    severity: warning ? "warn" : "info",
    summary: "Sigmasmith",
    detail: text,
    life: 1000 * (warning ? SECONDS.warning : SECONDS.news),
  });
}

app.registerExtension({
  name: "sigmasmith.messages",
  setup() {
    api.addEventListener("sigmasmith.message", show);
  },
});
