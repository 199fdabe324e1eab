#!/bin/sh
# zlib: the text of random numbers shrinks more without any search for repetitions than at level 1
# Versions: 1.2.13, 1.3.1, 1.3.2 (Debian 12, 13, testing: zlib1g).
# One would guess: Z_HUFFMAN_ONLY and Z_RLE, which look for no repetitions (or of one byte only),
# give up size for speed.
# Seen, on 100,000 normal float32 with nine digits between commas (1,215,957 bytes): level 1 makes
# 585,290 bytes of them and level 2 579,593, Z_HUFFMAN_ONLY 569,609 and Z_RLE 569,417. What level 1
# finds are chance repetitions of three digits, whose distances cost more than the digits. From
# level 3 on the search pays a little (561,414); level 9, whose search is long, ends at 533,945.
set -eu
# shellcheck source=findings/support/finding.sh
. "$(dirname "$0")/support/finding.sh"

debian_package zlib1g 1:1.2.13 1:1.3.dfsg+really1.3.1 1:1.3.dfsg+really1.3.2
cat >shrink.py <<'PY'
import random
import struct
import zlib

random.seed(1)
numbers = [struct.unpack("<f", struct.pack("<f", random.gauss(0, 1)))[0] for _ in range(100000)]
text = ",".join("%.9g" % number for number in numbers).encode()


def size(level, strategy=zlib.Z_DEFAULT_STRATEGY):
    stream = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
    return len(stream.compress(text) + stream.flush())


print(len(text))
print(*(size(level) for level in (1, 2, 3, 9)), size(1, zlib.Z_HUFFMAN_ONLY), size(1, zlib.Z_RLE))
PY
verdict "1215957
585290 579593 561414 533945 569609 569417" "$(/usr/bin/python3 shrink.py)" \
    "zlib $found: level 1 makes 585290 bytes of 1215957, no search for repetitions 569609"
