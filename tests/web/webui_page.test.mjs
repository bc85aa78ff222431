import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

const SCRIPT = readFileSync(new URL("../../javascript/sigmasmith.js", import.meta.url), "utf8");

/** The page's script with a host that shows Skip while a task runs; `pressed` are the ended tasks it was told of. */
function host() {
  const kept = {};
  const skip = { txt2img: { style: { display: "none" } }, img2img: { style: { display: "none" } } };
  const page = { pressed: [], window: {}, update: null };
  const button = (tab) => ({ click: () => page.pressed.push(page.window.sigmasmith.endedTask(tab)) });
  const elements = {
    txt2img_skip: skip.txt2img,
    img2img_skip: skip.img2img,
    script_txt2img_sigmasmith_ended: button("txt2img"),
    script_img2img_sigmasmith_ended: button("img2img"),
  };
  vm.runInNewContext(SCRIPT, {
    window: page.window,
    gradioApp: () => ({ getElementById: (id) => elements[id] ?? null }),
    localGet: (key) => kept[key] ?? null,
    onUiUpdate: (callback) => (page.update = callback),
  });
  page.begin = (tab, task) => {
    kept[`${tab}_task_id`] = task;
    skip[tab].style.display = "block";
    page.update();
  };
  page.end = (tab) => {
    skip[tab].style.display = "none";
    page.update();
  };
  page.kept = kept;
  return page;
}

test("a page on which nothing runs tells the host nothing, however often it changes", () => {
  const page = host();
  for (let times = 0; times < 5; times += 1) page.update();
  assert.deepEqual(page.pressed, []);
});

test("every task that ends is told once, by its id", () => {
  const page = host();
  page.begin("txt2img", "task(a)");
  page.update();
  page.end("txt2img");
  page.update();
  page.begin("img2img", "task(b)");
  page.end("img2img");
  page.begin("txt2img", "task(c)");
  page.end("txt2img");
  assert.deepEqual(page.pressed, ["task(a)", "task(b)", "task(c)"]);
});

test("an id that an earlier page left behind is told only once its task has been taken up again", () => {
  const page = host();
  page.kept.txt2img_task_id = "task(old)";
  page.update();
  assert.deepEqual(page.pressed, []);
  page.begin("txt2img", "task(old)");
  page.end("txt2img");
  assert.deepEqual(page.pressed, ["task(old)"]);
});
