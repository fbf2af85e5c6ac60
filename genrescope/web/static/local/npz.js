// Arrays of numpy from a zip file, as a bundle's catalogue holds them.

import { half } from "./halved.js";

const END = 0x06054b50; // signatures of a zip's parts
const ENTRY = 0x02014b50;

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The files of a zip archive: name -> Uint8Array. */
async function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) throw new RangeError("this is no zip archive");
  const files = {};
  let at = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i--) {
    if (view.getUint32(at, true) !== ENTRY) throw new RangeError("this zip archive is damaged");
    const [nName, nExtra, nComment] = [28, 30, 32].map((place) => view.getUint16(at + place, true));
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nName));
    const head = view.getUint32(at + 42, true);
    const start = head + 30 + view.getUint16(head + 26, true) + view.getUint16(head + 28, true);
    const packed = bytes.subarray(start, start + view.getUint32(at + 20, true));
    files[name] = view.getUint16(at + 10, true) === 8 ? await inflate(packed) : packed;
    at += 46 + nName + nExtra + nComment;
  }
  return files;
}

/** An array as numpy wrote it: { shape, values }, numbers or strings, row by row. */
function npy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = bytes[6] > 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(bytes.subarray(0, start));
  const [, kind, size] = header.match(/'descr': '[<|]([fU])(\d+)'/);
  if (!header.includes("'fortran_order': False")) throw new RangeError("this array lies otherwise");
  const shape = header
    .match(/'shape': \(([^)]*)\)/)[1]
    .split(",")
    .filter((part) => part.trim())
    .map(Number);
  const n = shape.reduce((a, b) => a * b, 1);
  const width = kind === "U" ? 4 * size : Number(size);
  const value = {
    f2: (at) => half(view.getUint16(at, true)),
    f4: (at) => view.getFloat32(at, true),
    f8: (at) => view.getFloat64(at, true),
  }[kind + size];
  const text = (at) => {
    let word = "";
    for (let i = 0; i < size; i++) {
      const code = view.getUint32(at + 4 * i, true);
      if (code) word += String.fromCodePoint(code);
    }
    return word;
  };
  const read = kind === "U" ? text : value;
  return { shape, values: Array.from({ length: n }, (_, i) => read(start + i * width)) };
}

/** The arrays of an npz: name -> { shape, values }. */
export async function readNpz(bytes) {
  const files = await unzip(bytes);
  return Object.fromEntries(
    Object.entries(files).map(([name, file]) => [name.replace(/\.npy$/, ""), npy(file)]),
  );
}
