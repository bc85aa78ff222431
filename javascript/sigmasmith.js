// The panel's part on the page of a WebUI: says when a generation has ended.
// A component's change event does not say it: Gradio 4 fires one for every answer that reaches the page.
(function () {
  const TABS = ["txt2img", "img2img"];
  const running = {}; // tab -> id of the generation under way
  const ended = {}; // tab -> id of the latest one that has ended

  function look(tab) {
    // The host shows Skip from the click on Generate until the images are there.
    if (gradioApp().getElementById(`${tab}_skip`)?.style.display === "block") {
      running[tab] = running[tab] || localGet(`${tab}_task_id`);
    } else if (running[tab]) {
      ended[tab] = running[tab];
      running[tab] = null;
      gradioApp().getElementById(`script_${tab}_sigmasmith_ended`)?.click();
    }
  }

  onUiUpdate(() => TABS.forEach(look));
  window.sigmasmith = { endedTask: (tab) => ended[tab] || "" };
})();
