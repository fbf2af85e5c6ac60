"""How good a collection's verbs are, on labelled music that the bundle did not learn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.collection_scale import Figure
from benchmarks.labelled import certain_clips, read_facts
from genrescope.library.learn.head import fit, seen
from genrescope.library.learn.lessons import MIN_ARTISTS, MIN_TRACKS
from genrescope.library.tags.plan import SURE_PRECISION, sure_precisions
from genrescope.model import Bundle, Classifier, Clip
from genrescope.model.prediction import UNLIKELY

N_ROUNDS = 50  # of planted labels
PLANTED = 0.05
MOST_TRACKS, MOST_ARTISTS = 20, 10  # of a genre to learn


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled tracks with what a bundle says of them.

    Attributes:
        labels: int64 (n,), the true genres.
        artists: (n,).
        probs: float32 (n, n_classes).
        embedding: float32 (n, d).
        sets: bool (n, n_classes), prediction sets.
        plain: bool (n,), without any flag.
    """

    labels: NDArray[np.int64]
    artists: NDArray[np.str_]
    probs: NDArray[np.float32]
    embedding: NDArray[np.float32]
    sets: NDArray[np.bool_]
    plain: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[Any]) -> Judged:
        return Judged(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def judge_stores(data: Sequence[Sequence[Path]], bundle: str | None) -> tuple[Judged, Bundle]:
    """Judge the certain tracks of stores by artists that the bundle's training does not hold.

    Args:
        data: pairs of an npz with ``track`` and ``mel``, uint8 over 80 dB, as the shared data has
            it, and a table with ``track``, ``genre``, ``artist`` and, where labels may be
            doubtful, ``certain``, and, where the names of artists differ, ``artist_in_gtzan``.
        bundle: folder or name; None for the one that ships.

    Raises:
        ValueError: it learned from all of these artists.
    """
    classifier = Classifier.load(bundle)
    labels = classifier.bundle.labels
    tables = [read_facts(table) for _, table in data]
    learned = set(classifier.bundle.training.get("tracks", ()))
    known = {
        facts[name]["artist"].casefold() for facts in tables for name in facts if name in learned
    }
    rows = []
    for (store, _), facts in zip(data, tables, strict=True):
        for _, fact, log_mel in certain_clips(store, facts):
            artist = fact["artist"]
            learned_from = fact.get("artist_in_gtzan") or artist.casefold() in known
            if fact["genre"] not in labels or not artist or learned_from:
                continue
            told = classifier.classify_features(Clip(log_mel, 30.0, ()))
            inside = np.isin(np.array(labels), np.array(told.genres))
            rows.append(
                (
                    *(labels.index(fact["genre"]), fact["artist"], told.clip_probs),
                    *(told.embedding, inside, not told.flags),
                )
            )
    if not rows:
        raise ValueError("the bundle learned from all artists; give one that did not")
    return Judged(*(np.array(column) for column in zip(*rows, strict=True))), classifier.bundle


def together(judged: Sequence[Judged]) -> Judged:
    """The tracks of several bundles, each judged by its own."""
    parts = ([getattr(part, name) for part in judged] for name in Judged.__dataclass_fields__)
    return Judged(*(np.concatenate(part) for part in parts))


def tags(judged: Sequence[Judged], bundle: Bundle) -> Iterator[Figure]:
    """What would be written: no flag, one genre in the prediction set, sure enough.

    How sure a genre is, a single bundle's card tells; of several bundles, which stand for folds,
    it is what the others' tracks show.
    """
    right, written = [], []
    for i, part in enumerate(judged):
        sure = (
            sure_precisions(bundle)
            if len(judged) == 1
            else _single_precisions(together([*judged[:i], *judged[i + 1 :]]), bundle.labels)
        )
        genre = part.probs.argmax(axis=1)
        alone = part.plain & (part.sets.sum(axis=1) == 1)
        if sure:
            alone &= np.array([sure.get(x, 0.0) >= SURE_PRECISION for x in bundle.labels])[genre]
        right.append(genre == part.labels)
        written.append(alone)
    hits, chosen = np.concatenate(right), np.concatenate(written)
    precision = float(hits[chosen].mean()) if chosen.any() else 0.0
    yield Figure(f"accuracy on the {len(hits)} tracks", f"{hits.mean():.3f}")
    yield Figure(
        "precision of the genres that tags plan would write",
        f"{precision:.3f} ({chosen.sum()} tracks, {chosen.mean():.0%})",
        ">= .90",
        precision >= 0.9,
    )


def _single_precisions(judged: Judged, labels: tuple[str, ...]) -> dict[str, float]:
    """Of each genre the share that is right where it is alone in the set."""
    genre = judged.probs.argmax(axis=1)
    alone = judged.sets.sum(axis=1) == 1
    named = {label: alone & (genre == k) for k, label in enumerate(labels)}
    return {
        label: float((judged.labels[rows] == genre[rows]).mean())
        for label, rows in named.items()
        if rows.any()
    }


def oddities(judged: Judged, *, seed: int = 0) -> Iterator[Figure]:
    """Wrong labels among right ones: one in twenty replaced by another genre at random."""
    rng = np.random.default_rng(seed)
    n, k = judged.probs.shape
    areas, alarms, found = [], [], []
    for _ in range(N_ROUNDS):
        wrong = rng.random(n) < PLANTED
        planted = (judged.labels + rng.integers(1, k, n)) % k
        tagged = np.where(wrong, planted, judged.labels)
        p = judged.probs[np.arange(n), tagged]
        odd = (p < UNLIKELY) & ~judged.sets[np.arange(n), tagged]
        rank = np.argsort(np.argsort(-p)) + 1
        m = wrong.sum()
        areas.append((rank[wrong].sum() - m * (m + 1) / 2) / (m * (n - m)))
        alarms.append(odd[~wrong].mean())
        found.append(odd[wrong].mean())
    area, alarm = float(np.mean(areas)), float(np.mean(alarms))
    yield Figure("odd: AUC of planted wrong labels", f"{area:.3f}", ">= .90", area >= 0.9)
    yield Figure("odd: false alarms", f"{alarm:.3f}", "<= .12", alarm <= 0.12)
    yield Figure("odd: planted labels found", f"{np.mean(found):.3f}")


def own_genres(judged: Sequence[Judged], *, seeds: int = 5) -> Iterator[Figure]:
    """A learned head beside the bundle's own, on artists that neither learned; means of bundles.

    Of each genre up to 20 tracks of 10 artists, by folds that keep artists apart, as the verb
    tells it; and half of the artists with two tracks each, tested on all the others.
    """
    rows = np.array([_by_folds(part, seed) for part in judged for seed in range(seeds)])
    n_genres, n_tracks, learned, own = rows.mean(axis=0)
    yield Figure(
        f"learn: {n_tracks:.0f} tracks of {n_genres:.3g} genres, up to 20 of 10 artists each",
        f"{learned:.3f}, the bundle's own head {own:.3f}",
        "at most .05 below it",
        bool(own - learned <= 0.05),
    )
    rows = np.array([_by_half(part, seed) for part in judged for seed in range(seeds)])
    n_tracks, learned, own = rows.mean(axis=0)
    yield Figure(
        f"learn: from {n_tracks:.0f} tracks of half of the artists",
        f"{learned:.3f}, the bundle's own head {own:.3f}",
    )


def _by_folds(judged: Judged, seed: int) -> tuple[float, ...]:
    """Genres, tracks, accuracy of the learned head and of the bundle's."""
    rng = np.random.default_rng(seed)
    rows: list[int] = []
    for label in range(judged.probs.shape[1]):
        of_genre = rng.permutation(np.flatnonzero(judged.labels == label))
        artists = rng.permutation(np.unique(judged.artists[of_genre]))[:MOST_ARTISTS]
        # One of each artist, then the second ones, and so on.
        turns = [of_genre[judged.artists[of_genre] == artist] for artist in artists]
        dealt = [row for turn in zip_longest(*turns) for row in turn if row is not None]
        if len(dealt) >= MIN_TRACKS and len(artists) >= MIN_ARTISTS:
            rows += dealt[:MOST_TRACKS]
    here = judged[np.array(rows)]
    fitted = fit(
        seen(here.embedding, here.probs),
        np.unique(here.labels, return_inverse=True)[1],
        list(here.artists),
        seed=seed,
    )
    return (
        float(len(np.unique(here.labels))),
        float(len(rows)),
        float((fitted.held_out.argmax(axis=1) == fitted.labels).mean()),
        _own_accuracy(here),
    )


def _by_half(judged: Judged, seed: int) -> tuple[float, ...]:
    """Tracks learned, accuracy of the learned head on the others and of the bundle's."""
    rng = np.random.default_rng(seed)
    learned = np.zeros(len(judged.labels), bool)
    for label in np.unique(judged.labels):
        artists = rng.permutation(np.unique(judged.artists[judged.labels == label]))
        for artist in artists[: min(MOST_ARTISTS, len(artists) // 2)]:
            rows = np.flatnonzero((judged.labels == label) & (judged.artists == artist))
            learned[rng.permutation(rows)[:2]] = True
    known = np.isin(judged.labels, np.unique(judged.labels[learned]))
    test = known & ~np.isin(judged.artists, judged.artists[learned])
    genres, truth = np.unique(judged.labels[learned], return_inverse=True)
    rows = seen(judged.embedding, judged.probs)
    fitted = fit(rows[learned], truth, list(judged.artists[learned]), seed=seed)
    told = genres[fitted.head.logits(rows[test]).argmax(axis=1)]
    return (
        float(learned.sum()),
        float((told == judged.labels[test]).mean()),
        _own_accuracy(judged[test]),
    )


def _own_accuracy(judged: Judged) -> float:
    """Of the bundle's own head, which may answer no genre that is not there."""
    genres = np.unique(judged.labels)
    return float((genres[judged.probs[:, genres].argmax(axis=1)] == judged.labels).mean())
