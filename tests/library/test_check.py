from __future__ import annotations

from pathlib import Path

import pytest
from library_makers import make_song

from genrescope.library.catalogue import Catalogue
from genrescope.library.check import check
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.tags.parts import part_name
from genrescope.model.bundle import Bundle


@pytest.mark.slow
def test_a_sound_catalogue_has_no_findings(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    make_song(music / "1.flac")
    (music / "bad.flac").write_bytes(b"bad")
    scan(catalogue, [music])
    judge(catalogue, Bundle.load(tiny_bundle))
    assert check(catalogue) == []


@pytest.mark.slow
def test_what_is_damaged_or_left_over_is_named(
    catalogue: Catalogue, music: Path, tiny_bundle: Path
) -> None:
    make_song(music / "1.flac")
    scan(catalogue, [music])
    judge(catalogue, Bundle.load(tiny_bundle))
    catalogue.db.execute("UPDATE judgement SET probabilities = x'00'")
    catalogue.db.execute("DELETE FROM words")
    (music / part_name().decode()).touch()
    damaged, words, copy = sorted(check(catalogue), key=lambda line: line.split(": ")[1][2:])
    findings = "\n".join((damaged, words, copy))
    assert "1 judgements of tiny are damaged" in findings
    assert "1 files cannot be found by their words" in findings
    assert "a copy is left" in findings
