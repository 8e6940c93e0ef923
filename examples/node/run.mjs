// Runs a capsule in Node, with nothing but Node's own WASI:
//   node --no-warnings examples/node/run.mjs story.wasm -p "Once upon a time" -n 100
// The arguments after the file go to the capsule; `--help` lists them.
import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [file, ...args] = process.argv.slice(2);
if (!file) {
  console.error("usage: node run.mjs FILE.wasm [ARGUMENTS OF THE CAPSULE]");
  process.exit(2);
}
const wasi = new WASI({ version: "preview1", args: [file, ...args], env: {}, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: wasi.wasiImport });
process.exitCode = wasi.start(instance);
