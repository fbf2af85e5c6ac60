"""How good a collection's verbs are, on labelled music that the bundle did not learn."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.collection_scale import Figure
from benchmarks.labelled import certain_clips, read_facts
from genrescope.library.fingerprint import SAME, SR, difference, of_samples
from genrescope.library.learn.head import fit
from genrescope.library.tags.plan import SURE_PRECISION, sure_precisions
from genrescope.model import Bundle, Classifier, Clip
from genrescope.model.prediction import UNLIKELY

N_ROUNDS = 50  # of planted labels
PLANTED = 0.05


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
    """A learned head beside the bundle's own, on artists that neither learned.

    Of each genre up to 20 tracks of 10 artists are learned; genres with fewer than 16 tracks
    or six artists stay out. Of several bundles the mean over them.
    """
    parts = [_own_genres(part, seeds) for part in judged]
    means = (np.mean([getattr(part, field.name) for part in parts]) for field in fields(OwnGenres))
    mean = OwnGenres(*map(float, means))
    yield Figure(
        f"learn: accuracy by artists, {mean.n_genres:.3g} genres, {mean.n_few:.0f} tracks learned",
        f"{mean.few:.3f}, the bundle's own head {mean.few_bundle:.3f}",
        "at most .05 below it",
        mean.few_bundle - mean.few <= 0.05,
    )
    yield Figure(
        f"learn: all {mean.n_tracks:.0f} tracks, five folds by artists",
        f"{mean.folds:.3f}, the bundle's own head {mean.folds_bundle:.3f}",
    )


@dataclass(frozen=True)
class OwnGenres:
    """A learned head beside a bundle's own; accuracies are of tracks that neither learned.

    Attributes:
        n_genres: how many are told apart.
        n_few: tracks that are learned of few artists.
        few, few_bundle: accuracy of the head that learned these, and of the bundle's own.
        n_tracks: all tracks of these genres.
        folds, folds_bundle: accuracy of heads that learned all other folds, and of the bundle's.
    """

    n_genres: float
    n_few: float
    few: float
    few_bundle: float
    n_tracks: float
    folds: float
    folds_bundle: float


def _own_genres(judged: Judged, seeds: int) -> OwnGenres:
    learned_hits, bundle_hits, counts = [], [], []
    enough = [
        k
        for k in range(judged.probs.shape[1])
        if (judged.labels == k).sum() >= 16
        and len(np.unique(judged.artists[judged.labels == k])) >= 6
    ]
    here = judged[np.isin(judged.labels, enough)]
    number = {k: i for i, k in enumerate(enough)}
    truth = np.array([number[int(k)] for k in here.labels])
    by_bundle = here.probs[:, enough].argmax(axis=1) == truth
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        learned = np.zeros(len(truth), bool)
        for k in range(len(enough)):
            artists = rng.permutation(np.unique(here.artists[truth == k]))
            for artist in artists[: min(10, len(artists) // 2)]:
                rows = np.flatnonzero((truth == k) & (here.artists == artist))
                learned[rng.permutation(rows)[:2]] = True
        test = ~np.isin(here.artists, here.artists[learned])
        fitted = fit(here.embedding[learned], truth[learned], list(here.artists[learned]), seed=0)
        named = fitted.head.logits(here.embedding[test]).argmax(axis=1)
        learned_hits.append((named == truth[test]).mean())
        bundle_hits.append(by_bundle[test].mean())
        counts.append(int(learned.sum()))
    whole = fit(here.embedding, truth, list(here.artists), seed=0)
    return OwnGenres(
        n_genres=len(enough),
        n_few=float(np.mean(counts)),
        few=float(np.mean(learned_hits)),
        few_bundle=float(np.mean(bundle_hits)),
        n_tracks=len(truth),
        folds=float((whole.held_out.argmax(axis=1) == truth).mean()),
        folds_bundle=float(by_bundle.mean()),
    )


def duplicates(music: Path, *, pairs: int = 2_000, seed: int = 0) -> Iterator[Figure]:
    """Pairs of one genre that are not the same, and one recording in several guises.

    Args:
        music: a folder with a sub-folder of recordings for each genre; those of 10 s and more
            are used.
    """
    from genrescope.audio.decode import decode

    rng = np.random.default_rng(seed)
    prints: dict[str, list[tuple[Path, NDArray[np.uint32]]]] = {}
    sounds: list[Path] = []
    for path in sorted(music.glob("*/*.flac")):
        samples = decode(path, sr=SR, duration=60).samples
        if len(samples) >= 10 * SR:
            prints.setdefault(path.parent.name, []).append((path, of_samples(samples)))
            sounds.append(path)
    every = [(a, b) for group in prints.values() for i, a in enumerate(group) for b in group[:i]]
    chosen = [every[i] for i in rng.permutation(len(every))[:pairs]]
    apart = [difference(a[1], b[1]) for a, b in chosen]
    wrong = sum(value < SAME for value in apart)
    yield Figure(
        f"duplicates: false among {len(chosen):,} pairs of one genre",
        f"{wrong}, the nearest {min(apart):.2f} (the same is below {SAME:g})",
        "0",
        wrong == 0,
    )
    known = {path: bits for group in prints.values() for path, bits in group}
    hits, total = 0, 0
    for path in sounds[:: max(1, len(sounds) // 50)]:
        for bits in _guises(path):
            total += 1
            hits += difference(known[path], bits) < SAME
    yield Figure(
        f"duplicates: recall over mp3 128, opus 96, 6 dB up and down, 1 s later ({total} files)",
        f"{hits / total:.3f}",
        ">= .99",
        hits / total >= 0.99,
    )


def _guises(path: Path) -> Iterator[NDArray[np.uint32]]:
    from genrescope.audio.decode import decode

    y = decode(path, sr=None)
    for container, codec, rate in (("mp3", "libmp3lame", 128_000), ("ogg", "libopus", 96_000)):
        yield of_samples(decode(_encoded(y.samples, y.sr, container, codec, rate), sr=SR).samples)
    low = decode(path, sr=SR).samples
    for changed in (2 * low, low / 2, low[SR:]):
        yield of_samples(np.clip(changed, -1, 1).astype(np.float32))


def _encoded(y: NDArray[np.float32], sr: int, container: str, codec: str, rate: int) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000 if codec == "libopus" else sr, layout="mono")
        stream.bit_rate = rate
        for i in range(0, len(y), sr):
            frame = av.AudioFrame.from_ndarray(y[None, i : i + sr], format="flt", layout="mono")
            frame.sample_rate, frame.pts = sr, i
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()
