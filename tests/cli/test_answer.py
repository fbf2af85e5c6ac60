"""One answer for each file, in the order of the files, whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_makers import lines, tone

from genrescope.cli import walk
from genrescope.cli.answer import answer
from genrescope.model import Classifier, Prediction


@pytest.mark.slow
def test_answers_come_in_the_order_of_the_input(run: Any, tmp_path: Path) -> None:
    # The first takes longest, so that the others are ready before it.
    seconds = [60, *([1] * 11)]
    genres = ["rock", "jazz", "blues"] * 4
    paths = [
        tone(tmp_path / f"{i}.wav", genre, seconds=s)
        for i, (genre, s) in enumerate(zip(genres, seconds, strict=True))
    ]
    result = run("--json", *paths)
    assert [a["path"] for a in lines(result)] == [str(path) for path in paths]
    assert [a["genre"] for a in lines(result)] == genres


def test_an_odd_failure_of_one_file_does_not_end_the_job(tiny_bundle: Path, music: Path) -> None:
    def fail(source: str, **options: Any) -> Prediction:
        if source.endswith("a.flac"):
            raise MemoryError("too much")
        return classifier.classify(source, **options)

    classifier = Classifier.load(tiny_bundle)
    outcomes = [answer(fail, file) for file in walk.find([str(music)])]
    assert [isinstance(outcome, str) for outcome in outcomes] == [True, False, False]
    assert "MemoryError: too much" in str(outcomes[0])
