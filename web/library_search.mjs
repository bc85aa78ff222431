// Which presets a search finds. Pure.

/** Whether every word typed is somewhere in the preset's name, facts or gains. */
export function matches(preset, typed) {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const facts = (preset.facts ?? []).map(([label, text]) => `${label} ${text}`);
  const gains = (preset.gains ?? []).map(([steps, text]) => `${steps} steps ${text}`);
  const text = [preset.name, ...facts, ...gains].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}
