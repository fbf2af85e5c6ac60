"""From numbers to notes: in time, in the scale, and the same every time."""

from __future__ import annotations

import pytest
from song_makers import by_chance, middle

from genrescope.dream.score import write
from genrescope.dream.song import KEYS, MODES

PITCHED = ("bass", "chords", "pad", "lead")
LOUD = dict.fromkeys(("drums", "kick", "snare", "hat", "bass", "chords", "pad", "lead"), 0.0)


@pytest.mark.parametrize("seed", range(8))
def test_notes_are_in_the_scale_and_in_time(seed: int) -> None:
    song = by_chance(seed)
    score = write(song, 12.0, seed=seed)
    scale = {(KEYS.index(song.key) + tone) % 12 for tone in MODES[song.mode]}
    for name, notes in score.layers.items():
        assert notes
        for note in notes:
            assert 0 <= note.start < 12.0
            assert 0 < note.gain <= 1
            if name in PITCHED and song.mode != "blues":
                assert note.pitch % 12 in scale


def test_a_longer_piece_begins_like_a_shorter_one() -> None:
    song = by_chance(3)
    short, long = write(song, 5.0, seed=1), write(song, 15.0, seed=1)
    for name, notes in short.layers.items():
        assert [note.start for note in notes] == [
            note.start for note in long.layers[name] if note.start < 5.0
        ]


def test_the_seed_decides_the_melody() -> None:
    song = middle(**LOUD)
    first, again, other = (write(song, 8.0, seed=seed).layers["lead"] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_the_bass_drum_stands_on_the_beats_of_the_tempo() -> None:
    song = middle(**LOUD, tempo=120.0, looseness=0.0, kick_place="every beat", kick_extra=0.0)
    score = write(song, 4.0, seed=0)
    kicks = [note.start for note in score.layers["kick"]]
    assert set(score.beats) <= {round(start, 9) for start in kicks}
    assert score.beats == pytest.approx([0.5 * i for i in range(8)])


def test_swing_moves_what_lies_between_the_beats() -> None:
    straight, swung = (
        [
            note.start
            for note in write(
                middle(**LOUD, tempo=60.0, looseness=0.0, hat_place="eighths", hat_open=0.0,
                       swing=swing, swing_of="eighths"),
                4.0,
            ).layers["hat"]
        ]
        for swing in (0.0, 1 / 3)
    )  # fmt: skip
    assert straight[:4] == pytest.approx([0, 0.5, 1, 1.5])
    assert swung[:4] == pytest.approx([0, 2 / 3, 1, 5 / 3])


def test_a_layer_that_is_off_has_no_notes() -> None:
    score = write(middle(drums=-48.0, bass=-40.0, lead=-40.0, pad=-48.0, chords=0.0), 4.0)
    assert set(score.layers) == {"chords"}


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, float("nan")])
def test_a_length_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="plays for"):
        write(middle(), seconds)
