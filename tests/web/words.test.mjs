import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";
import { LANGUAGES, TOLD, WORDS, inWords, say, speak, told } from "../../web/words.mjs";

const folder = new URL("../../web/", import.meta.url);
const sources = new Map();
for (const name of await readdir(folder)) {
  if (/\.m?js$/.test(name) && name !== "words.mjs") sources.set(name, await readFile(new URL(name, folder), "utf8"));
}

test("every word is there in every language, with the same values to fill in", () => {
  const values = (text) => [...text.matchAll(/\{\w+\}|sigmasmith1:|--multi-user|Load Preset|Apply Schedule/g)].map(String).sort();
  for (const [key, texts] of Object.entries(WORDS)) {
    assert.equal(texts.length, LANGUAGES.length, key);
    for (const text of texts) assert.deepEqual(values(text), values(texts[0]), `${key}: ${text}`);
    assert.ok(new Set(texts).size >= 4, `${key} is not translated`);
  }
});

test("what Python sends is there in every other language, with the same values to fill in", () => {
  const values = (text) => [...text.matchAll(/\{\w+\}|Apply Schedule|Fit Schedule|keep_sampler/g)].map(String).sort();
  for (const [english, texts] of Object.entries(TOLD)) {
    assert.equal(texts.length, LANGUAGES.length - 1, english);
    for (const text of texts) assert.deepEqual(values(text), values(english), `${english}: ${text}`);
  }
});

test("a template of Python's is said in the host's language with all that fills it, and any other text as it comes", () => {
  const sent = {
    say: "{phase}: {share} done, {time}{more}",
    given: {
      phase: { say: "{steps} steps: refining", given: { steps: 5 } },
      share: "40 %",
      time: { say: "{count} minutes", given: { count: 3 } },
      more: { say: " more at most", given: {} },
    },
  };
  const heard = ["de", "fr", "en", "ru"].map((locale) => {
    speak(() => locale);
    return told(sent);
  });
  const english = "5 steps: refining: 40 % done, 3 minutes more at most";
  assert.deepEqual(heard, ["5 Schritte: Verfeinern: 40 % fertig, noch 3 Minuten (höchstens)", "5 pas : affinage : 40 % fait, encore 3 minutes (au plus)", english, english]);
  speak(() => "de");
  assert.equal(told("euler"), "euler");
  assert.equal(told({ say: "a new {thing}", given: { thing: "one" } }), "a new one");
  speak(() => "en");
});

test("an answer is in the host's language where it brings its texts once more, in lists too", () => {
  speak(() => "de");
  const answer = { cut: 0, hint: "", warnings: ["Last step jumps from 0.3 to 0."], name: "a {b}", told: { hint: "", warnings: [{ say: "Last step jumps from {last} to 0.", given: { last: "0.3" } }] } };
  const { cut, hint, warnings, name } = inWords(answer);
  assert.deepEqual({ cut, hint, warnings, name }, { cut: 0, hint: "", warnings: ["Der letzte Schritt springt von 0.3 auf 0."], name: "a {b}" });
  assert.deepEqual(inWords({ problem: "no answer" }), { problem: "no answer" });
  assert.deepEqual(told([["steps", null], { said: { say: "steps" } }]), [["steps", null], { said: "Schritte" }]);
  speak(() => "en");
});

test("the languages are those of the node texts", async () => {
  const others = await readdir(new URL("../../locales/", import.meta.url));
  assert.deepEqual(["en", ...others.sort()], LANGUAGES);
});

test("what the page says it has a word for, and it has no word that it never says", () => {
  const said = new Set();
  for (const text of sources.values()) for (const [, key] of text.matchAll(/\bsay\(\s*"(\w+)"/g)) said.add(key);
  for (const text of sources.values()) for (const key of Object.keys(WORDS)) if (text.includes(`"${key}"`)) said.add(key);
  assert.deepEqual([...said].filter((key) => !(key in WORDS)), []);
  assert.deepEqual(Object.keys(WORDS).filter((key) => !said.has(key)), []);
});

test("no sentence for a person stands anywhere else", () => {
  for (const [name, text] of sources) {
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    const found = [...code.matchAll(/"([^"\n]*)"|`([^`]*)`/g)].map((match) => match[1] ?? match[2]);
    const sentences = found.filter((piece) => /^[A-Z][a-z]+ [a-z]+/.test(piece));
    assert.deepEqual(sentences, [], name);
  }
});

test("the language is the host's, English where we have it not", () => {
  const heard = ["de", "zh-TW", "ru", undefined].map((locale) => {
    speak(() => locale);
    return say("copiedAs", { name: "a {b}" });
  });
  assert.deepEqual(heard, ["Als a {b} kopiert.", "已复制为 a {b}。", "Copied as a {b}.", "Copied as a {b}."]);
  speak(() => "en");
});
