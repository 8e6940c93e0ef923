// node generated.mjs FOLDER: runs the modules that generated_test --write left there and compares what is to be seen,
// line by line as fuzz/differential.c writes it.
import { readFileSync, readdirSync } from "node:fs";

const folder = process.argv[2];
const view = new DataView(new ArrayBuffer(8));
const edges = [0n, 1n, 0x3fc00001bfffffffn, 0x8000000080000000n, 0x3ff000003f800000n, 5n];
const LINES_MAX = 2000, COUNTER = 200;

// The types of exported functions and globals, which JavaScript does not tell.
function typesOf(bytes) {
    let at = 8;
    const leb = () => {
        let v = 0, shift = 0, byte;
        do {
            byte = bytes[at++];
            v |= (byte & 0x7f) << shift;
            shift += 7;
        } while (byte & 0x80);
        return v >>> 0;
    };
    const list = () => Array.from({ length: leb() }, () => bytes[at++]);
    const types = [], funcs = [];
    while (at < bytes.length) {
        const id = bytes[at++], size = leb(), end = at + size;
        if (id === 1) for (let n = leb(); n; n--) at++, types.push({ params: list(), results: list() });
        if (id === 3) for (let n = leb(); n; n--) funcs.push(types[leb()]);
        at = end;
    }
    return funcs;
}

function text(type, value) {
    switch (type) {
        case 0x7f:
            return (value >>> 0).toString(16);
        case 0x7e:
            return BigInt.asUintN(64, value).toString(16);
        case 0x7d:
            if (Number.isNaN(value)) return "nan";
            view.setFloat32(0, value);
            return view.getUint32(0).toString(16);
        default:
            if (Number.isNaN(value)) return "nan";
            view.setFloat64(0, value);
            return view.getBigUint64(0).toString(16);
    }
}

function argument(type, n) {
    view.setBigUint64(0, edges[n % 6]);
    if (type === 0x7f) return view.getInt32(4);
    if (type === 0x7e) return view.getBigInt64(0);
    return type === 0x7d ? view.getFloat32(4) : view.getFloat64(0);
}

function hash(buffer) {
    const words = new Uint32Array(buffer);
    let h = buffer.byteLength | 0;
    for (const word of words) h = Math.imul(h ^ word, 16777619);
    return (h >>> 0).toString(16);
}

function transcript(bytes) {
    const out = [];
    let lines = 0;
    const put = (line) => lines++ < LINES_MAX && out.push(line);
    const h = {
        log: (v) => put(`log ${text(0x7f, v)}`),
        mix: (a, b) => {
            put(`mix ${text(0x7e, a)} ${text(0x7e, b)}`);
            return BigInt.asIntN(64, (a * 31n + b) ^ 0x9e3779b97f4a7c15n);
        },
    };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { h });
    const types = typesOf(bytes), globals = Object.keys(exports).filter((name) => name[0] === "g");
    const globalTypes = [0x7f, 0x7e, 0x7d, 0x7c, 0x7f];
    out.push("instance 0");
    for (let round = 0; round < 2; round++) {
        for (const name of Object.keys(exports).filter((name) => name[0] === "f")) {
            const type = types[Number(name.slice(1))];
            let line = `${name}:`;
            exports[globals.at(-1)].value = COUNTER;
            try {
                const result = exports[name](...type.params.map((t, i) => argument(t, round * 3 + i)));
                const results = type.results.length === 1 ? [result] : type.results.length ? [...result] : [];
                line += results.map((v, i) => ` ${text(type.results[i], v)}`).join("");
            } catch (error) {
                if (!(error instanceof WebAssembly.RuntimeError)) throw error;
                line += " trap";
            }
            out.push(line);
        }
        for (const name of Object.keys(exports)) {
            if (name[0] === "m") out.push(`memory ${hash(exports[name].buffer)}`);
            if (name[0] === "g") out.push(`global ${text(globalTypes[Number(name.slice(1))], exports[name].value)}`);
        }
    }
    return out.join("\n") + "\n";
}

let count = 0, failures = 0;
for (const file of readdirSync(folder).filter((f) => f.endsWith(".wasm"))) {
    const expected = readFileSync(`${folder}/${file.replace(".wasm", ".txt")}`, "utf8");
    const got = transcript(readFileSync(`${folder}/${file}`));
    count++;
    if (got === expected) continue;
    const a = expected.split("\n"), b = got.split("\n"), i = a.findIndex((line, n) => line !== b[n]);
    console.log(`${file}: line ${i + 1}: "${a[i]}" here, "${b[i]}" there`);
    failures++;
}
console.log(`${count} modules, ${failures} failures`);
process.exit(failures || !count ? 1 : 0);
