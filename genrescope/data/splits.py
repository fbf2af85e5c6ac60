"""Protocols: which tracks, or windows, are trained on and which are evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from genrescope.data.fold import PARTS, Fold, Together, check_fold, check_starts
from genrescope.data.groups import artist_groups, deal, name_groups, recording_groups
from genrescope.data.registry import (
    DATASETS,
    DEFAULT_PROTOCOL,
    KnownDataset,
    PublishedSplit,
    dataset_of,
    datasets_among,
    known_tracks,
)
from genrescope.data.track import Track
from genrescope.errors import DatasetError
from genrescope.features.windows import random_windows

WINDOW_S = 3.0
N_WINDOWS = 5
VALID_SHARE = 1 / 8  # of what is not test


@dataclass(frozen=True)
class Split:
    """A protocol applied to a dataset.

    Attributes:
        protocol: its name in `SPLITS`.
        seed: what it was drawn with.
        folds: the rounds.
        excluded: track ID -> why no fold uses it.
        absent: tracks that the protocol knows and the dataset lacks.
        starts: under ``windows``, member -> start of its window in s; empty otherwise.
        window_s: length of those windows in s.
    """

    protocol: str
    seed: int
    folds: tuple[Fold, ...]
    excluded: dict[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    starts: dict[str, float] = field(default_factory=dict)
    window_s: float = WINDOW_S

    @property
    def leaky(self) -> bool:
        """Whether one recording may be on both sides, so that its scores mean little."""
        return SPLITS[self.protocol].leaky

    @property
    def absent_parts(self) -> dict[str, int]:
        """Part -> how many of its tracks are absent, where lists are published; else empty."""
        published = SPLITS[self.protocol].published
        if published is None:
            return {}
        part_of = published.parts()
        absent = [part_of[track] for track in self.absent]
        return {part: absent.count(part) for part in PARTS if part in absent}

    def check(self, tracks: Iterable[Track]) -> None:
        """Prove that the split keeps what its protocol promises.

        Raises:
            DatasetError: a member of two parts, an unknown track, windows that overlap, a part
                that lacks a class, or, where the protocol rules it out, an artist or a repeated
                recording on two sides.
        """
        known = {track.track_id: track for track in tracks}
        protocol = SPLITS[self.protocol]
        check_starts(self.starts, self.window_s)
        for number, fold in enumerate(self.folds):
            try:
                check_fold(
                    fold,
                    known,
                    together=protocol.together,
                    may_lack_classes=not protocol.holds_back
                    or (protocol.published is not None and bool(self.absent)),
                )
            except DatasetError as error:
                raise DatasetError(f"{self.protocol}, fold {number}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Split.from_dict` is the inverse."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "folds": [{p: list(m) for p, m in fold.parts().items()} for fold in self.folds],
            "excluded": self.excluded,
            "absent": list(self.absent),
            "starts": self.starts,
            "window_s": self.window_s,
        }

    @staticmethod
    def from_dict(d: Mapping[str, Any]) -> Split:
        """The split that `to_dict` described."""
        return Split(
            d["protocol"],
            d["seed"],
            tuple(Fold(*(tuple(fold[part]) for part in PARTS)) for fold in d["folds"]),
            excluded=dict(d["excluded"]),
            absent=tuple(d["absent"]),
            starts=dict(d["starts"]),
            window_s=d["window_s"],
        )


@dataclass(frozen=True)
class Protocol:
    """A way to split.

    Attributes:
        make: (tracks, seed, n_folds) -> Split.
        summary: one line for people.
        leaky: one recording may be on both sides.
        together: the groups of tracks, by index, that it never parts.
        published: the lists that it follows, parts of which may be absent; None where it draws.
        holds_back: whether there are tracks that are not learned.
        joint: whether it is for a known dataset and other music together.
    """

    make: Callable[[Sequence[Track], int, int], Split]
    summary: str
    leaky: bool = False
    together: Together | None = None
    published: PublishedSplit | None = None
    holds_back: bool = True
    joint: bool = False


def make_split(protocol: str, tracks: Iterable[Track], *, seed: int = 0, n_folds: int = 5) -> Split:
    """Split tracks by a protocol named in `SPLITS`; the order of the tracks does not matter.

    Args:
        protocol: its name in `SPLITS`.
        tracks: the dataset, e.g. `FeatureStore.facts`.
        seed: of every random step; published splits and ``all`` have none.
        n_folds: int > 1, ignored by published splits and by ``all``, which have one.

    Raises:
        DatasetError: unknown protocol, or a dataset that it cannot split as promised.
    """
    if protocol not in SPLITS:
        raise DatasetError(f"no protocol {protocol!r}; there are {', '.join(SPLITS)}.")
    if n_folds < 2:
        raise DatasetError(f"{n_folds} folds asked for; cross-validation needs two or more.")
    ordered = sorted(tracks, key=lambda track: track.track_id)
    if not ordered:
        raise DatasetError("there are no tracks to split.")
    split = SPLITS[protocol].make(ordered, seed, n_folds)
    split.check(ordered)
    return split


def split_for(protocol: str, tracks: Iterable[Track], *, seed: int = 0) -> Split:
    """A split into five folds, or as many as so few tracks or artists allow.

    Raises:
        DatasetError: not even two folds are possible; why not five.
    """
    tracks = tuple(tracks)
    first: DatasetError | None = None
    for n_folds in (5, 4, 3, 2):
        try:
            return make_split(protocol, tracks, seed=seed, n_folds=n_folds)
        except DatasetError as error:
            first = first or error
    assert first is not None
    raise first


def protocol_title(protocol: str) -> str:
    """A protocol's name for people, who must see which one flatters."""
    return f"{protocol} (leaky)" if SPLITS[protocol].leaky else protocol


def _windows(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
    """The talk's: random windows of all clips, by genre, whatever the clip."""
    rng = np.random.default_rng(seed)
    starts: dict[str, float] = {}
    genres: list[str] = []
    excluded = {}
    for track in tracks:
        if track.duration is None:
            raise DatasetError(
                f"{track.track_id}: its duration is unknown, no window can be drawn."
            )
        # Whole milliseconds, so that every input takes the very same windows of the audio.
        length, window_length = round(track.duration * 1000), round(WINDOW_S * 1000)
        n_windows = min(N_WINDOWS, length // window_length)
        if n_windows == 0:
            excluded[track.track_id] = f"shorter than one window of {WINDOW_S:g} s"
            continue
        drawn = random_windows(length, window_length=window_length, n_windows=n_windows, rng=rng)
        starts |= {f"{track.track_id}#{i}": int(ms) / 1000 for i, ms in enumerate(drawn)}
        genres += [track.genre] * n_windows
    if not starts:
        raise DatasetError(f"windows: no clip is as long as one window of {WINDOW_S:g} s.")
    members = list(starts)
    groups = [[i] for i in range(len(members))]
    folds = _folds(members, genres, groups, n_folds, rng)
    return Split("windows", seed, folds, excluded=excluded, absent=_absent(tracks), starts=starts)


def _tracks(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
    return _k_fold("tracks", tracks, recording_groups(tracks), seed, n_folds)


def _artists(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
    groups = artist_groups(tracks)
    for genre in sorted({track.genre for track in tracks}):
        n_groups = sum(any(tracks[i].genre == genre for i in group) for group in groups)
        if n_groups < n_folds:
            raise DatasetError(
                f"artists: {genre} has {n_groups} artist(s) to keep apart, too few for {n_folds} "
                "folds. Every genre needs at least three, and all its tracks of unknown artist "
                "count as one: name the artists in artists.csv, or choose another protocol, such "
                "as tracks."
            )
    return _k_fold("artists", tracks, groups, seed, n_folds)


def _k_fold(
    protocol: str, tracks: Sequence[Track], groups: list[list[int]], seed: int, n_folds: int
) -> Split:
    """Whole clips in stratified folds that never cut a group."""
    members = [track.track_id for track in tracks]
    genres = [track.genre for track in tracks]
    folds = _folds(members, genres, groups, n_folds, np.random.default_rng(seed))
    return Split(protocol, seed, folds, absent=_absent(tracks))


def _world(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
    """Joint folds over all sets; nothing is tested by a doubtful label."""
    ids = [track.track_id for track in tracks]
    whole = dataset_of(ids)
    if whole is not None:
        raise DatasetError(
            f"world: these tracks are all of {whole.title}; name a store of other music as well, "
            "by one more --data."
        )
    doubtful = {track.track_id for track in tracks if not track.certain}
    # Sets differ in what they call a genre, so each gives its share to every fold.
    known = known_tracks()
    strata = [f"{track.genre}, {track.track_id in known}, {track.certain}" for track in tracks]
    rng = np.random.default_rng(seed)
    folds = tuple(
        replace(fold, test=tuple(t for t in fold.test if t not in doubtful))
        for fold in _folds(ids, strata, artist_groups(tracks), n_folds, rng)
    )
    return Split("world", seed, folds)


def everything(tracks: Iterable[Track], *, part: str = "train", seed: int = 0) -> Split:
    """The protocol ``all``: every track in one part.

    Args:
        tracks: the dataset.
        part: ``train``, to learn all of them, as what ships does; ``test``, to evaluate a model on
            music that it has not learned.
        seed: kept as the split's, though nothing is drawn.
    """
    ids = tuple(track.track_id for track in tracks)
    return Split("all", seed, (Fold(*(ids if p == part else () for p in PARTS)),))


def _all(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
    return everything(tracks, seed=seed)


def _published(protocol: str, dataset: KnownDataset, lists: PublishedSplit) -> Protocol:
    """The protocol that follows the published lists of a dataset.

    Other music beside it is learned, but what may be by an artist of the held-out part.
    """

    def make(tracks: Sequence[Track], seed: int, n_folds: int) -> Split:
        part_of = lists.parts()
        here = [track.track_id for track in tracks if track.track_id in part_of]
        others = [track for track in tracks if track.track_id not in part_of]
        if not here:
            raise DatasetError(
                f"{protocol} is a split of {dataset.title}, and {others[0].track_id} is no "
                f"{dataset.title} track."
            )
        held_out = [t for t in dataset.tracks.values() if part_of[t.track_id] in ("valid", "test")]
        close = _sharing_an_artist(others, held_out)
        learned = tuple(track.track_id for track in others if track.track_id not in close)
        parts = {part: tuple(t for t in here if part_of[t] == part) for part in PARTS}
        fold = Fold(parts["train"] + learned, parts["valid"], parts["test"])
        excluded = {t: lists.excluded_because for t in here if part_of[t] == "excluded"}
        excluded |= dict.fromkeys(close, "by an artist whom the lists keep for valid or test")
        absent = tuple(t for t in part_of if t not in set(here) and part_of[t] != "excluded")
        return Split(protocol, seed, (fold,), excluded=excluded, absent=absent)

    return Protocol(make, lists.summary, together=name_groups, published=lists)


def _sharing_an_artist(tracks: Sequence[Track], others: Sequence[Track]) -> list[str]:
    """IDs of those tracks that may be by an artist of ``others``."""
    found = []
    both = [*tracks, *others]
    for group in artist_groups(both):
        if any(i >= len(tracks) for i in group):
            found += [both[i].track_id for i in group if i < len(tracks)]
    return found


SPLITS: dict[str, Protocol] = {
    "windows": Protocol(
        _windows,
        "random 3-second windows, the clip on both sides: leaky, flatters every model",
        leaky=True,
    ),
    "tracks": Protocol(
        _tracks,
        "stratified k-fold over recordings, artists on both sides",
        together=recording_groups,
    ),
    "artists": Protocol(
        _artists, "stratified k-fold, no artist on two sides", together=artist_groups
    ),
    "world": Protocol(
        _world,
        "joint folds over a known dataset and other music, no artist on two sides; what is tested "
        "is labelled with certainty",
        together=artist_groups,
        joint=True,
    ),
    **{
        name: _published(name, dataset, lists)
        for dataset in DATASETS.values()
        for name, lists in dataset.published.items()
    },
    "all": Protocol(_all, "every track is learned and none held back", holds_back=False),
}
"""The protocols by name: those that any dataset can be split by, and those of known datasets."""


def default_protocol(tracks: Iterable[Track]) -> str:
    """The protocol for a training when none is asked for: the dataset's own, or ``tracks``."""
    dataset = dataset_of(track.track_id for track in tracks)
    return dataset.protocol if dataset else DEFAULT_PROTOCOL


def protocols_for(tracks: Iterable[Track]) -> dict[str, Protocol]:
    """The protocols that are for these tracks: published splits of other datasets are not, nor is,
    for music without a track of a known dataset, what joins the two."""
    known = datasets_among(track.track_id for track in tracks)
    own = {name for dataset in known for name in dataset.published}

    def fits(name: str, protocol: Protocol) -> bool:
        if protocol.published is not None:
            return name in own
        return bool(known) or not protocol.joint

    return {name: protocol for name, protocol in SPLITS.items() if fits(name, protocol)}


def _absent(tracks: Sequence[Track]) -> tuple[str, ...]:
    """Tracks of a known dataset that are not among these; of other music no more is known."""
    here = {track.track_id for track in tracks}
    dataset = dataset_of(here)
    return tuple(t for t in dataset.tracks if t not in here) if dataset else ()


def _folds(
    members: Sequence[str],
    genres: Sequence[str],
    groups: Sequence[Sequence[int]],
    n_folds: int,
    rng: np.random.Generator,
) -> tuple[Fold, ...]:
    """Stratified folds that never cut a group; each round's valid part is carved from its train."""
    order = {genre: i for i, genre in enumerate(sorted(set(genres)))}
    labels = np.array([order[genre] for genre in genres])
    counts = np.array([np.bincount(labels[list(g)], minlength=len(order)) for g in groups])
    fold_of = deal(counts, np.full(n_folds, 1 / n_folds), rng)

    def ids(chosen: Iterable[int]) -> tuple[str, ...]:
        return tuple(members[i] for i in sorted(i for g in chosen for i in groups[g]))

    folds = []
    for k in range(n_folds):
        rest = np.flatnonzero(fold_of != k)
        is_valid = deal(counts[rest], np.array([1 - VALID_SHARE, VALID_SHARE]), rng) == 1
        folds.append(
            Fold(ids(rest[~is_valid]), ids(rest[is_valid]), ids(np.flatnonzero(fold_of == k)))
        )
    return tuple(folds)
