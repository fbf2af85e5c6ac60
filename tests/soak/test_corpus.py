"""Small files that found a fault, or reach a decoder's far ends, in the sandbox of the server.

`soak.mutate` made most of them; their names begin with the kind that they were made of. Whatever
the long run of ``make soak`` finds belongs here as well, once it is mended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from audio_makers import recording

from genrescope.errors import AudioError
from genrescope.model.bundle import Bundle
from genrescope.model.isolation import IsolatedFeatures

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
MEMORY_BYTES = 2**28
LIMIT_S = 30.0


@pytest.fixture(scope="module")
def decoders(tiny_bundle: Path) -> Iterator[IsolatedFeatures]:
    bundle = Bundle.load(tiny_bundle)
    isolated = IsolatedFeatures(bundle, processes=1, memory_bytes=MEMORY_BYTES)
    yield isolated
    isolated.sandbox.close()


def _refusal(decoders: IsolatedFeatures, data: bytes) -> AudioError | None:
    try:
        decoders.features(
            data, name="file", max_duration_s=60.0, deadline=time.monotonic() + LIMIT_S
        )
    except AudioError as error:
        return error
    return None


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_a_file_of_the_corpus_costs_its_own_answer_alone(
    decoders: IsolatedFeatures, path: Path
) -> None:
    refusal = _refusal(decoders, path.read_bytes())
    # A process that died, or ran into its limits, would be the cause.
    assert refusal is None or refusal.__cause__ is None, refusal
    assert _refusal(decoders, recording("wav16", 1.0)) is None


@pytest.mark.parametrize("path", [p for p in CORPUS if p.name.startswith("decoder-not-admitted")])
def test_decoders_that_are_not_admitted_are_not_asked(
    decoders: IsolatedFeatures, path: Path
) -> None:
    refusal = _refusal(decoders, path.read_bytes())
    assert refusal is not None
    assert "in a coding that cannot be read" in refusal.reason


def test_the_corpus_is_small() -> None:
    assert len(CORPUS) > 50
    assert sum(path.stat().st_size for path in CORPUS) < 60_000
