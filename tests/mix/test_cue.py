"""The cue sheet of a mix."""

from __future__ import annotations

from pathlib import Path

from genrescope.library.cue import albums_of
from genrescope.mix.cue import sheet


def test_times_count_in_75ths_and_titles_stay_on_their_line(tmp_path: Path) -> None:
    text = sheet("mix.wav", [("One", 0.0), ('A "B"\nC', 61.52), ("Three", 3_725.999)])
    assert text.splitlines() == [
        'FILE "mix.wav" WAVE',
        "  TRACK 01 AUDIO",
        '    TITLE "One"',
        "    INDEX 01 00:00:00",
        "  TRACK 02 AUDIO",
        "    TITLE \"A 'B' C\"",
        "    INDEX 01 01:01:39",
        "  TRACK 03 AUDIO",
        '    TITLE "Three"',
        "    INDEX 01 62:06:00",
    ]
    (tmp_path / "mix.cue").write_text(text, encoding="utf-8")
    assert albums_of(tmp_path / "mix.cue") == frozenset({b"mix.wav"})
