#!/bin/sh
# safetensors (npm): no file with metadata is read, and 4 bytes may lie where a Float32Array cannot
# Version 0.0.1 (npm).
# Guessed: it reads what Hugging Face's writers write, and a tensor's bytes are aligned to its type.
# Seen: __metadata__, which transformers writes into each file ({"format": "pt"}), is taken for a
# tensor without data_offsets: a TypeError, and no tensor of the file is read. Without metadata
# getTensor gives a view of the whole body, at byte 65 where the header has 57 bytes, which a
# Float32Array refuses: a copy (slice) is needed. Of two tensors of one name the last one counts.
# Hugging Face's reader (python3-safetensors 0.5.2 and 0.8.0) reads files with metadata.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

npm_install safetensors@0.0.1
cat >run.cjs <<'JS'
const { SafeTensor } = require("safetensors");

const x = (begin) => `"x":{"dtype":"F32","shape":[1],"data_offsets":[${begin},${begin + 4}]}`;

function file(header, ...numbers) {
  const body = new Uint8Array(8 + header.length + 4 * numbers.length);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, BigInt(header.length), true);
  body.set(new TextEncoder().encode(header), 8);
  numbers.forEach((n, i) => view.setFloat32(8 + header.length + 4 * i, n, true));
  return body;
}

function read(body) {
  try {
    const bytes = new SafeTensor(body).getTensor("x");
    const copy = new Float32Array(bytes.slice().buffer)[0];
    try {
      return `${copy}, in place ${new Float32Array(bytes.buffer, bytes.byteOffset, 1)[0]}`;
    } catch (error) {
      return `${copy}, in place a ${error.name}`;
    }
  } catch (error) {
    return error.name;
  }
}

const metadata = file(`{"__metadata__":{"format":"pt"},${x(0)}}`, 2.5);
console.log("metadata:", read(metadata));
console.log("padded:", read(file(`{${x(0)}}`.padEnd(64), 2.5)));
console.log("not padded:", read(file(`{${x(0)}}`.padEnd(57), 2.5)));
console.log("two of a name:", read(file(`{${x(0)},${x(4)}}`, 1, 2.5).slice()));
JS
verdict 'metadata: TypeError
padded: 2.5, in place 2.5
not padded: 2.5, in place a RangeError
two of a name: 2.5, in place a RangeError' "$(node run.cjs)" \
    "npm's safetensors 0.0.1: a file with metadata is a TypeError, views may be unaligned"
