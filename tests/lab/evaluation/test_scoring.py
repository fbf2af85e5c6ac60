"""From answers to figures: levels, failures, and what is asked for at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from lab_makers import GENRES, bands_store

from genrescope.data.fold import Fold
from genrescope.data.splits import Split, make_split
from genrescope.data.track import Track
from genrescope.errors import AudioError, GenrescopeError
from genrescope.lab.evaluation.models import Answer, Predictor, Span, WindowAnswer
from genrescope.lab.evaluation.scoring import items_of, score_items, tempo_and_key
from genrescope.model.key import Key
from genrescope.model.tempo import Tempo

TRACKS = tuple(Track(f"{g}{i}", g, artist=f"{g} {i}") for g in GENRES for i in range(4))


def oracle(*, wrong: frozenset[str] = frozenset(), n_windows: int = 3) -> Predictor:
    """Right, with probability 0.8, but for the tracks named."""

    def judge(track: Track, spans: Sequence[Span | None]) -> list[WindowAnswer]:
        k = GENRES.index(track.genre)
        probs = np.full((n_windows, 3), 0.1)
        probs[:, (k + 1) % 3 if track.track_id in wrong else k] = 0.8
        return [WindowAnswer(probs) for _ in spans]

    return judge


def whole(tracks: tuple[Track, ...] = TRACKS) -> Split:
    return Split("all", 0, (Fold((), (), tuple(t.track_id for t in tracks)),))


def test_both_levels_are_scored() -> None:
    split = whole()
    judge = oracle(wrong=frozenset({"fado0", "tango1", "tango2"}))
    found = score_items(items_of(split, split.folds[0].test, TRACKS, judge), GENRES)
    assert found.track.n == 12
    assert found.window.n == 36
    assert found.track.accuracy.value == pytest.approx(0.75)
    assert found.track.accuracy.low < 0.75 < found.track.accuracy.high
    assert found.track.calibration_error == pytest.approx(0.05)
    assert found.confusion.tolist() == [[3, 1, 0], [0, 4, 0], [2, 0, 2]]
    rows = {row["track"]: row for row in found.to_dict()["tracks"]}
    assert len(rows) == 12
    assert rows["fado0"] == {
        "track": "fado0",
        "genre": "fado",
        "predicted": "polka",
        "confidence": 0.8,
    }


def test_windows_are_asked_for_with_their_span_and_joined_into_tracks() -> None:
    store = bands_store(9, n_frames=200)
    split = make_split("windows", store.facts, n_folds=3)
    asked: dict[str, Sequence[Span | None]] = {}

    def judge(track: Track, spans: Sequence[Span | None]) -> Sequence[Answer]:
        assert track.track_id not in asked, "a recording is read once for all of its windows"
        asked[track.track_id] = spans
        return oracle(n_windows=1)(track, spans)

    items = items_of(split, split.folds[0].test, store.facts, judge)
    found = score_items(items, GENRES)
    assert found.members == split.folds[0].test
    assert found.window.n == len(split.folds[0].test)
    assert found.track.n == len(asked) < found.window.n
    for track, spans in asked.items():
        starts = {v for k, v in split.starts.items() if k.startswith(f"{track}#")}
        assert {span[0] for span in spans if span} <= starts
        assert all(span and span[1] - span[0] == pytest.approx(3.0) for span in spans)


def test_a_broken_file_is_left_out_and_named() -> None:
    def judge(track: Track, spans: Sequence[Span | None]) -> Sequence[Answer]:
        if track.track_id == "polka1":
            raise AudioError("polka1", "it does not decode", "Fetch it again.")
        return oracle()(track, spans)

    split = whole()
    found = score_items(items_of(split, split.folds[0].test, TRACKS, judge), GENRES)
    assert found.failed == {"polka1": "it does not decode"}
    assert found.track.n == 11


def test_a_silent_clip_counts_for_no_genre() -> None:
    def judge(track: Track, spans: Sequence[Span | None]) -> Sequence[Answer]:
        if track.track_id == "fado1":
            return [WindowAnswer(np.full((1, 3), 1 / 3), ("silent",)) for _ in spans]
        return oracle()(track, spans)

    split = whole()
    found = score_items(items_of(split, split.folds[0].test, TRACKS, judge), GENRES)
    assert found.failed == {"fado1": "silent"}
    assert found.track.n == 11


def test_what_cannot_be_judged_is_an_error_in_words() -> None:
    split = whole()
    items = items_of(split, split.folds[0].test, TRACKS, oracle())
    with pytest.raises(GenrescopeError, match="does not know tango"):
        score_items(items, ("fado", "polka"))
    with pytest.raises(GenrescopeError, match="no clip could be scored"):
        score_items([], GENRES)


def test_tempo_and_key_are_scored_where_tracks_are_annotated() -> None:
    probs = np.full((1, 3), 1 / 3)
    # Annotated: blues.00000 with 125.87 bpm and key 22, G minor; blues.00001 with 67.77, E minor.
    right = WindowAnswer(probs, tempo=Tempo(126.0, 0.9, None, 1.0), key=Key("G minor", "6A", 0.8))
    double = WindowAnswer(probs, tempo=Tempo(135.5, 0.9, None, 1.0), key=Key("B minor", "10A", 0.8))
    answers = {"blues.00000": right, "blues.00001": double, "of-my-own": double}
    tempo, key = tempo_and_key(answers)
    assert tempo is not None
    assert key is not None
    assert tempo["accuracy1"]["n"] == key["correct"]["n"] == 2
    assert tempo["accuracy1"]["value"] == 0.5
    assert tempo["accuracy2"]["value"] == 1.0
    assert key["correct"]["value"] == 0.5
    assert key["weighted"]["value"] == 0.75  # a fifth above
    assert tempo_and_key({"of-my-own": right}) == (None, None)
    assert tempo_and_key({"blues.00000": WindowAnswer(probs)}) == (None, None)
