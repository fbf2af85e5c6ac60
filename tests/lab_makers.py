"""Small labelled music for tests of the laboratory: genres that differ, artists that differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from genrescope.data.splits import Split, make_split
from genrescope.data.store import FeatureStore
from genrescope.data.track import Track
from genrescope.features.config import STORE_CONFIG
from genrescope.lab.evaluation.music import Music
from genrescope.lab.robustness.robustness import Degraded
from genrescope.lab.training.augment import Augment
from genrescope.lab.training.prepare import prepare
from genrescope.lab.training.recipe import Recipe
from genrescope.lab.training.train import Training
from genrescope.model.interval import Interval
from genrescope.reproduction.cells import Data
from genrescope.reproduction.plan import Cell, quick_plan

GENRES = ("fado", "polka", "tango")

SMALL_CNN = Recipe(
    net="cnn",
    options={"width": 8},
    window_s=1.5,
    epochs=6,
    excerpts=4,
    batch_size=16,
    lr=5e-3,
    ema=0.9,
    augment=Augment(shift_bands=1.0, band_limit=0.0, reverb=0.0, noise=0.1, style=0.0, mixup=0.1),
)

SMALL_COMPACT = Recipe(
    net="compact",
    options={"width": 4},
    window_s=2.0,
    epochs=3,
    excerpts=4,
    batch_size=16,
    lr=5e-3,
    ema=0.9,
)

HALL = Degraded("hall", 98, Interval(0.5, 0.4, 0.6), 0.1, 0.3, "b", 0.25, 0.2, {"uncertain": 0.1})

REPORT_FACTS = {"frames": "Here <13> a second.", "data": "Here 36."}


def bands_store(n_per_genre: int = 10, *, n_frames: int = 80, seed: int = 0) -> FeatureStore:
    """Clips of noise, each genre with its own loud band and beat; two clips of each artist."""
    rng = np.random.default_rng(seed)
    tracks, clips = [], []
    for i in range(n_per_genre * len(GENRES)):
        genre = i % len(GENRES)
        clip = rng.normal(-50, 5, (128, n_frames)).astype(np.float32)
        beat = np.sin(2 * np.pi * 0.7 * 2**genre * np.arange(n_frames) / STORE_CONFIG.frame_rate)
        clip[40 * genre : 40 * genre + 20] += (25 + 12 * beat).astype(np.float32)
        name = f"{GENRES[genre]} {i // len(GENRES) // 2}"
        duration = n_frames / STORE_CONFIG.frame_rate
        tracks.append(Track(f"t{i:02d}", GENRES[genre], artist=name, duration=duration))
        clips.append(clip.T.astype(np.float16))
    return FeatureStore(STORE_CONFIG, tuple(tracks), {}, "bands", clips)


def music_folder(folder: Path, n_per_genre: int = 6, *, seconds: float = 4.0) -> Path:
    """A folder of short wav files: each genre hums at its own pitch, two clips of each artist."""
    rng = np.random.default_rng(0)
    rows = ["track,artist"]
    for k, genre in enumerate(GENRES):
        (folder / genre).mkdir(parents=True)
        for i in range(n_per_genre):
            t = np.arange(round(seconds * 22_050)) / 22_050
            hum = np.sin(2 * np.pi * 300 * 3**k * (1 + 0.02 * i) * t)
            noise = rng.normal(0, 0.02, len(t))
            sf.write(folder / genre / f"{i}.wav", 0.4 * hum + noise, 22_050)
            rows.append(f"{genre}/{i},{genre} {i // 2}")
    (folder / "artists.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def begin(store: FeatureStore, split: Split, recipe: Recipe, **options: Any) -> Training:
    """A training that is ready to run; options as for `prepare`."""
    return Training(prepare(store, split, recipe, **options))


def begin_training(
    store: FeatureStore,
    out: Path,
    recipe: Recipe = SMALL_CNN,
    *,
    fold: int = 0,
    seed: int = 0,
    **options: Any,
) -> Training:
    """A training on one of three folds of a store, ready to run; options as for `prepare`."""
    split = make_split("tracks", store.facts, seed=1, n_folds=3)
    return begin(store, split, recipe, fold=fold, seed=seed, out=out, **options)


def robustness_file(folder: Path, *, protocol: str = "tracks", **changed: object) -> Path:
    """What `evaluate --degrade --json` prints, of one disturbance."""
    file = folder / "degraded.json"
    rows = [HALL.to_dict() | changed]
    file.write_text(json.dumps({"split": {"protocol": protocol}, "degradations": rows}))
    return file


def mel_data(store: FeatureStore) -> Data:
    """A store as what the cells of a reproduction work on."""
    return Data({("all", "mel"): lambda: store})


def quick_cell(protocol: str, kind: str, model: str) -> Cell:
    """The quick plan's cell."""
    return next(
        cell
        for cell in quick_plan(audio=False)
        if (cell.protocol, cell.input, cell.model) == (protocol, kind, model)
    )


def music_of(store: FeatureStore) -> Music:
    """A store as music to measure by."""
    return Music((store.name,), store.dataset, store)


@contextmanager
def few_counterexamples(n: int) -> Iterator[None]:
    """So many of each kind of what is no music: all of them take ten seconds to make."""
    from genrescope.lab.export import novelty

    novelty.made_clips.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for kind, (_, make) in novelty.COUNTEREXAMPLES.items():
            patch.setitem(novelty.COUNTEREXAMPLES, kind, (n, make))
        patch.setattr(novelty, "MELODIES", (n, novelty.MELODIES[1]))
        yield
    novelty.made_clips.cache_clear()
