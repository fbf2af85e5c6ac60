"""Files as no encoder writes them, each from a number, so that any of them can be made again."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from soak.kinds import KINDS, seed_file
from soak.structure import Part, parsed, written

_INTERESTING = (
    *(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00"),
    *(b"\x00\x00\x00\x01", b"\x01\x00\x00\x00", b"\xff\xff\xff\x7f", b"\x00\x01", b"\xff\xff"),
)


def mutant(index: int, *, seed: int = 0) -> tuple[str, bytes]:
    """Kind and bytes of one mutated file, the same for the same numbers.

    Two of three keep the structure of their container, and change what it holds.
    """
    kind = KINDS[index % len(KINDS)]
    rng = np.random.default_rng([seed, index])
    data = seed_file(kind)
    parts = parsed(data)
    if parts and rng.random() < 2 / 3:
        for _ in range(int(rng.choice([1, 1, 2, 4, 16]))):
            _rearrange(parts, rng)
        return kind, written(parts, mend=rng.random() < 0.9) or b"x"
    out = bytearray(data)
    # Headers are where lengths, counts and offsets stand.
    region = int(rng.choice([64, 512, 4_096, len(out)]))
    for _ in range(int(rng.choice([1, 2, 8, 64]))):
        _change(out, region, rng)
    return kind, bytes(out) or b"x"


def _rearrange(parts: list[Part], rng: np.random.Generator) -> None:
    """Change one part, somewhere in the tree, or its place in it."""
    siblings = parts
    while True:
        if not siblings:
            return
        i = int(rng.integers(len(siblings)))
        part = siblings[i]
        if not part.parts or rng.random() < 0.25:
            break
        siblings = part.parts
    match int(rng.integers(8)):
        case 0:
            del siblings[i]
        case 1:
            n = int(rng.choice([1, 2, 50])) if len(written([part])) < 10_000 else 1
            siblings[i:i] = [deepcopy(part) for _ in range(n)]
        case 2:
            j = int(rng.integers(len(siblings)))
            siblings[i], siblings[j] = siblings[j], siblings[i]
        case 3:
            part.claim = int(rng.choice([0, 1, 7, 8, 2**16, 2**31 - 1, 2**31, 2**32 - 1]))
        case 4:
            part.name = bytes(rng.permutation(list(part.name)).tolist())
        case _:
            body = bytearray(part.body)
            for _ in range(int(rng.choice([1, 4]))):
                _change(body, int(rng.choice([16, 64, len(body) + 1])), rng)
            part.body = bytes(body)


def _change(out: bytearray, region: int, rng: np.random.Generator) -> None:
    i = int(rng.integers(max(1, min(region, len(out)))))
    n = int(rng.integers(1, 200))
    match int(rng.integers(9)):
        case 0 | 1:
            out[i : i + 1] = bytes([int(rng.integers(256))])
        case 2:
            out[i : i + 1] = bytes([(out[i] if out else 0) ^ 1 << int(rng.integers(8))])
        case 3 | 4:
            value = _INTERESTING[int(rng.integers(len(_INTERESTING)))]
            out[i : i + len(value)] = value
        case 5:
            del out[i : i + n]
        case 6:
            j = int(rng.integers(max(1, len(out))))
            out[i:i] = out[j : j + n]
        case 7:
            other = seed_file(KINDS[int(rng.integers(len(KINDS)))])
            j = int(rng.integers(len(other)))
            out[i : i + n] = other[j : j + n]
        case _:
            del out[int(rng.integers(len(out) + 1)) :]
