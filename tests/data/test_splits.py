"""The protocols keep their promises, and the leaky one leaks."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.data import gtzan
from genrescope.data.fold import Fold, track_of
from genrescope.data.groups import artist_groups, recording_groups
from genrescope.data.splits import (
    SPLITS,
    Split,
    default_protocol,
    everything,
    make_split,
    protocols_for,
)
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.errors import DatasetError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import log_mel

from .conftest import TRACKS

N_FOLDS = 3


@st.composite
def data_sets(draw: st.DrawFn) -> list[Track]:
    """Genres of a few artists each, some clips unnamed, some the repeat of another."""
    tracks = []
    for genre in "abcd"[: draw(st.integers(2, 4))]:
        sizes = draw(st.lists(st.integers(1, 5), min_size=5, max_size=8))
        for artist, n in enumerate(sizes):
            name = None if draw(st.integers(0, 9)) == 0 else f"{genre} number {artist}"
            for k in range(n):
                duration = draw(st.floats(3.0, 40.0))
                tracks.append(Track(f"{genre}.{artist}.{k}", genre, name, duration=duration))
    for i in draw(st.lists(st.integers(1, len(tracks) - 1), max_size=3, unique=True)):
        if tracks[i].genre == tracks[i - 1].genre:
            tracks[i] = replace(tracks[i], faults=(f"repeat:{tracks[i - 1].track_id}",))
    return tracks


def split_or_none(protocol: str, tracks: list[Track], seed: int) -> Split | None:
    """None where joined tracks leave a genre too few groups, which is an error in words."""
    kinds = {"artists": (artist_groups, "too few for"), "tracks": (recording_groups, "lacks")}
    if protocol in kinds:
        grouped, words = kinds[protocol]
        groups = grouped(tracks)
        held = Counter(genre for group in groups for genre in {tracks[i].genre for i in group})
        if min(held.values()) < N_FOLDS:
            with pytest.raises(DatasetError, match=words):
                make_split(protocol, tracks, seed=seed, n_folds=N_FOLDS)
            return None
    return make_split(protocol, tracks, seed=seed, n_folds=N_FOLDS)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data_sets(), st.sampled_from(["windows", "tracks", "artists"]), st.integers(0, 9))
def test_each_fold_divides_the_whole(tracks: list[Track], protocol: str, seed: int) -> None:
    split = split_or_none(protocol, tracks, seed)
    if split is None:
        return
    split.check(tracks)
    members = sorted(split.starts) or sorted(track.track_id for track in tracks)
    for fold in split.folds:
        assert sorted(fold.train + fold.valid + fold.test) == members
    assert sorted(m for fold in split.folds for m in fold.test) == members
    shuffled = random.Random(seed).sample(tracks, len(tracks))
    assert make_split(protocol, shuffled, seed=seed, n_folds=N_FOLDS) == split
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data_sets(), st.integers(0, 9))
def test_artists_and_repeats_stay_on_one_side(tracks: list[Track], seed: int) -> None:
    split = split_or_none("artists", tracks, seed)
    if split is None:
        return
    known = {track.track_id: track for track in tracks}
    for fold in split.folds:
        part = {m: name for name, members in fold.parts().items() for m in members}
        sides: dict[tuple[str, str | None], set[str]] = {}
        for member, side in part.items():
            track = known[member]
            unknown = track.genre if track.artist is None else ""
            sides.setdefault((unknown, track.artist), set()).add(side)
            assert all(part[other] == side for other in track.repeats)
        assert all(len(side) == 1 for side in sides.values())


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data_sets(), st.integers(0, 9))
def test_repeats_stay_on_one_side_by_tracks(tracks: list[Track], seed: int) -> None:
    split = split_or_none("tracks", tracks, seed)
    if split is None:
        return
    known = {track.track_id: track for track in tracks}
    for fold in split.folds:
        part = {m: name for name, members in fold.parts().items() for m in members}
        assert all(part[other] == side for m, side in part.items() for other in known[m].repeats)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(data_sets(), st.integers(0, 9))
def test_windows_lie_in_their_clips_and_apart(tracks: list[Track], seed: int) -> None:
    split = make_split("windows", tracks, seed=seed, n_folds=N_FOLDS)
    for track in tracks:
        mine = sorted(s for m, s in split.starts.items() if track_of(m) == track.track_id)
        assert len(mine) == min(5, round(track.duration * 1000) // 3000)
        assert mine[0] >= 0
        assert mine[-1] + 3 <= track.duration + 0.001
        assert all(b - a >= 3 - 1e-9 for a, b in pairwise(mine))


def gtzan_tracks() -> list[Track]:
    return [replace(track, duration=30.0) for track in gtzan.tracks()]


@pytest.mark.parametrize("protocol", ["windows", "tracks", "artists"])
def test_folds_of_gtzan_are_stratified(protocol: str) -> None:
    split = make_split(protocol, gtzan_tracks(), seed=1)
    known = gtzan.by_id()
    per_track = 5 if protocol == "windows" else 1
    for fold in split.folds:
        assert len(fold.valid) == pytest.approx(100 * per_track, rel=0.1)
        assert len(fold.test) == pytest.approx(200 * per_track, rel=0.1)
        counts = Counter(known[track_of(m)].genre for m in fold.test)
        share = [counts[genre] / per_track for genre in gtzan.GENRES]
        # Bob Marley alone is a third of reggae and cannot be divided.
        low, high = (12, 45) if protocol == "artists" else (19, 21)
        assert low <= min(share) <= max(share) <= high


@pytest.mark.slow
def test_seed_decides() -> None:
    tracks = gtzan_tracks()
    for protocol in ("windows", "tracks", "artists"):
        first, second = (make_split(protocol, tracks, seed=seed) for seed in (0, 1))
        assert first == make_split(protocol, tracks, seed=0)
        assert first.folds != second.folds


def test_fault_filtered_lists() -> None:
    split = make_split("fault-filtered", gtzan.tracks())
    (fold,) = split.folds
    assert [len(part) for part in fold.parts().values()] == [443, 197, 290]
    assert len(split.excluded) == 70
    assert split.absent == ()


@pytest.mark.slow
def test_fault_filtered_of_a_part_says_what_is_absent(gtzan_dir: Path) -> None:
    store = FeatureStore.load(gtzan_dir / "mel_u8.npz")
    split = make_split("fault-filtered", store.facts)
    (fold,) = split.folds
    assert [len(part) for part in fold.parts().values()] == [442, 197, 0]
    assert len(split.absent) == 291
    assert "jazz.00054" in split.absent
    assert len(split.excluded) == 54


def test_fault_filtered_needs_gtzan() -> None:
    with pytest.raises(DatasetError, match="rock/mine is no GTZAN track"):
        make_split("fault-filtered", [Track("rock/mine", "rock")])


def test_music_beside_gtzan_is_learned_but_of_the_artists_judged_by() -> None:
    judged = next(t for t in gtzan.tracks() if t.track_id == "blues.00000")
    assert gtzan.fault_filtered()[judged.track_id] == "valid"
    assert judged.artist
    others = [
        Track("rock/mine", "rock", "Nobody Else"),
        Track("blues/hers", "blues", judged.artist.upper()),
    ]
    split = make_split("fault-filtered", [*others, *gtzan.tracks()])
    (fold,) = split.folds
    assert "rock/mine" in fold.train
    assert [len(part) for part in fold.parts().values()] == [444, 197, 290]
    assert "blues/hers" in split.excluded
    assert len(split.excluded) == 71


def two_sets() -> list[Track]:
    """GTZAN, and other music of its genres, of which every third label is doubtful."""
    others = [
        Track(f"{genre}/{i}", genre, f"{genre} artist {i // 2}", certain=i % 3 > 0)
        for genre in gtzan.GENRES
        for i in range(30)
    ]
    shared = next(t.artist for t in gtzan.tracks() if t.track_id == "rock.00016")
    return [*gtzan.tracks(), *others, Track("rock/shared", "rock", shared)]


@pytest.mark.slow
def test_world_judges_sure_labels_and_keeps_artists_of_both_sets_apart() -> None:
    tracks = two_sets()
    known = {track.track_id: track for track in tracks}
    split = make_split("world", tracks)
    split.check(tracks)
    judged = [member for fold in split.folds for member in fold.test]
    assert sorted(judged) == sorted(t.track_id for t in tracks if t.certain)
    for fold in split.folds:
        assert {known[t].genre for t in fold.test if "/" in t} == set(gtzan.GENRES)
        assert any(not known[t].certain for t in fold.train)
        sides = ["rock/shared" in part for part in fold.parts().values()]
        assert sides == ["rock.00016" in part for part in fold.parts().values()]


def test_world_is_of_more_than_gtzan() -> None:
    with pytest.raises(DatasetError, match="all of GTZAN; name a store of other music"):
        make_split("world", gtzan.tracks())


def test_all_holds_nothing_back_and_passes_its_check() -> None:
    split = make_split("all", TRACKS, seed=3)
    ids = tuple(track.track_id for track in TRACKS)
    assert split == everything(TRACKS, seed=3)
    assert split.folds == (Fold(ids, (), ()),)
    assert not split.leaky
    assert split.absent == ()
    assert split.absent_parts == {}
    to_judge = everything(TRACKS, part="test")
    assert to_judge.folds == (Fold((), (), ids),)
    for each in (split, to_judge):
        each.check(TRACKS)
    with pytest.raises(DatasetError, match="a9 is in train but not in the dataset"):
        Split("all", 0, (Fold(("a9",), (), ()),)).check(TRACKS)


def test_protocols_and_defaults_for_known_and_other_music() -> None:
    assert default_protocol(TRACKS) == "tracks"
    assert default_protocol(gtzan.tracks()) == "fault-filtered"
    assert list(protocols_for(gtzan.tracks())) == list(SPLITS)
    assert set(SPLITS) - set(protocols_for(TRACKS)) == {"world", "fault-filtered"}
    assert list(protocols_for([*TRACKS, *gtzan.tracks()])) == list(SPLITS)


def test_no_such_split() -> None:
    with pytest.raises(DatasetError, match=r"no protocol 'holy'; there are windows, tracks"):
        make_split("holy", gtzan.tracks())
    with pytest.raises(DatasetError, match="two or more"):
        make_split("tracks", gtzan.tracks(), n_folds=1)
    with pytest.raises(DatasetError, match="no tracks"):
        make_split("tracks", [])
    with pytest.raises(DatasetError, match=r"blues\.00000: its duration is unknown"):
        make_split("windows", gtzan.tracks())
    with pytest.raises(DatasetError, match=r"artists\.csv"):
        make_split("artists", [Track(f"{g}{i}", g) for g in "ab" for i in range(20)])
    with pytest.raises(DatasetError, match=r"valid lacks b\. More .* of it or another seed"):
        make_split("tracks", [Track(f"{g}{i}", g) for g, n in ("a9", "b2") for i in range(int(n))])


def test_three_artists_of_each_genre_are_needed_as_the_error_says() -> None:
    def tracks(n_artists: int) -> list[Track]:
        named = [Track(f"{g}{i}", g, f"{g}{i % n_artists}") for g in "ab" for i in range(30)]
        return [*named, *(Track(f"{g}{i}", g, f"{g}{i}") for g in "c" for i in range(9))]

    for n_folds in (2, 3, 4, 5):
        with pytest.raises(DatasetError) as caught:
            make_split("artists", tracks(2), n_folds=n_folds)
    assert str(caught.value).startswith("artists: a has 2 artist(s) to keep apart")
    assert "at least three" in str(caught.value)
    assert "fewer folds" not in str(caught.value)
    make_split("artists", tracks(3), n_folds=3)
    make_split("tracks", tracks(2))


def test_clip_too_short_for_a_window_is_excluded_in_words() -> None:
    tracks = [Track(f"{g}{i}", g, duration=9.0) for g in "ab" for i in range(9)]
    split = make_split("windows", [*tracks, Track("tiny", "a", duration=2.0)])
    assert split.excluded == {"tiny": "shorter than one window of 3 s"}
    with pytest.raises(DatasetError, match="no clip is as long"):
        make_split("windows", [Track("tiny", "a", duration=2.0)])


def test_only_windows_is_called_leaky() -> None:
    assert [name for name, protocol in SPLITS.items() if protocol.leaky] == ["windows"]
    assert make_split("fault-filtered", gtzan.tracks()).leaky is False


def synthetic_music(config: FeatureConfig) -> tuple[list[Track], dict[str, np.ndarray]]:
    """Three genres of six artists: the artist, not the genre, makes the timbre."""
    rng = np.random.default_rng(0)
    tracks, clips = [], {}
    times = np.arange(16 * config.sr) / config.sr
    for genre in "abc":
        for artist in range(6):
            partials = rng.dirichlet(np.full(8, 0.3))
            for k in range(3):
                track_id = f"{genre}{artist}{k}"
                notes = rng.uniform(150, 200, 32).repeat(len(times) // 32)
                phase = 2 * np.pi * np.cumsum(notes) / config.sr
                sound = sum(p * np.sin((i + 1) * phase) for i, p in enumerate(partials))
                clips[track_id] = log_mel(sound.astype(np.float32), config)
                tracks.append(Track(track_id, genre, f"{genre} {artist}", duration=16.0))
    return tracks, clips


@pytest.mark.slow
def test_windows_scores_far_above_artists_where_the_artist_makes_the_timbre() -> None:
    """The reason for the honest protocols: the genre cannot be heard here at all."""
    from sklearn.neighbors import KNeighborsClassifier

    config = FeatureConfig(sr=4000, n_fft=512, hop_length=512, n_mels=32)
    tracks, clips = synthetic_music(config)
    genre = {track.track_id: track.genre for track in tracks}
    places = make_split("windows", tracks).starts
    length = round(3 * config.frame_rate)

    def windows(members: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
        """Mean log-mel of the windows; a track stands for all of its windows."""
        chosen = [w for m in members for w in ([m] if "#" in m else [f"{m}#{i}" for i in range(5)])]
        starts = [int(places[w] * config.frame_rate) for w in chosen]
        means = [
            clips[track_of(w)][:, start : start + length].mean(axis=1)
            for w, start in zip(chosen, starts, strict=True)
        ]
        return np.array(means), [genre[track_of(w)] for w in chosen]

    accuracy = {}
    for protocol in ("windows", "artists"):
        scores = []
        for fold in make_split(protocol, tracks).folds:
            model = KNeighborsClassifier(1, algorithm="kd_tree").fit(*windows(fold.train))
            scores.append(model.score(*windows(fold.test)))
        accuracy[protocol] = np.mean(scores)
    assert accuracy["windows"] > 0.9
    assert accuracy["artists"] < 0.55
