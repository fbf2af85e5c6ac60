"""The targets of the fuzzer hold on their seeds, on noise, and on seeds that were damaged."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from fuzzing.targets import Target, mutated, targets
from hypothesis import given, settings
from hypothesis import strategies as st

TARGETS = targets()
CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
"""What ``make fuzz`` found, in small files whose names begin with their target's."""


@pytest.fixture(params=TARGETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_seeds_and_what_they_become_are_taken(name: str) -> None:
    target = TARGETS[name]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    target.fuzz_one(b"")
    for seed in target.seeds:
        target.fuzz_one(seed)
        for _ in range(15):
            target.fuzz_one(mutated(seed, rng))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_found_is_taken_now(path: Path) -> None:
    TARGETS[path.name.partition("-")[0]].fuzz_one(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@settings(max_examples=25, derandomize=True)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_taken(target: Target, data: bytes) -> None:
    target.fuzz_one(data)
