// Telling preset files from other .safetensors files. Pure; whether a file is a good preset, Python says.

const SUFFIX = ".safetensors";
const MAX_BYTES = 4 * 1024 * 1024;
const KEY = '"sigmasmith"';

/** The file of a drop of exactly one .safetensors file that is small enough for a preset, else null. */
export function oneSmallFile(dataTransfer) {
  const files = dataTransfer?.files;
  if (files?.length !== 1) return null;
  const [file] = files;
  return file.name.toLowerCase().endsWith(SUFFIX) && file.size <= MAX_BYTES ? file : null;
}

/** Whether the metadata of a safetensors file has our key. */
export async function isPreset(file) {
  try {
    const length = new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true);
    if (length > BigInt(file.size)) return false;
    const header = await file.slice(8, 8 + Number(length)).text();
    return header.includes(KEY) && "sigmasmith" in (JSON.parse(header).__metadata__ ?? {});
  } catch {
    return false;
  }
}
