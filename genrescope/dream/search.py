"""The search for what a net takes for a genre: CMA-ES over a song's numbers (Hansen 2016).

    song -> sound -> the front end and net of `genrescope.model` -> log odds of the genre

The search begins anywhere: it knows no genre but what the net tells it. It plays a part of the
song, and finishes the whole wherever that part is as good as any before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrescope.audio.waveform import Waveform
from genrescope.dream.render import render, render_stereo
from genrescope.dream.song import Song, parameters
from genrescope.mastering.loudness import master
from genrescope.model.classifier import Classifier
from genrescope.model.prediction import NO_MUSIC, Prediction

SECONDS = 20.0
PART_S = 10.0
"""Of the song, played at each step of the search: one window of the net that ships."""
SR = 44_100
"""Of the finished sound, Hz."""
LUFS, PEAK_DB = -14.0, -1.0
STEPS = 1_600
"""Songs that are tried at most: about two minutes of one core."""
WANTED = 0.95
"""Probability of the whole song at which the search ends."""

_START = 48  # songs by chance, of which the search begins at the best
_POPULATION = 16
_STEP_SIZE = 0.25
_NEAR = 0.1  # nats; songs that are almost as good may differ in what the part does not hold
_NO_MUSIC_COST = 3.0  # nats, of a song that the bundle takes for no music
_FADE_S = 0.6


@dataclass(frozen=True, eq=False)
class Dream:
    """A song that a net takes for a genre.

    Attributes:
        genre: what was asked for.
        song: its numbers.
        seed: of the search, and of the song's patterns and melodies.
        prediction: what the net says of the finished sound.
        channels: the finished sound, float32 (2, n_samples), at `SR`.
        lufs: its loudness.
    """

    genre: str
    song: Song
    seed: int
    prediction: Prediction
    channels: NDArray[np.float32]
    lufs: float

    @property
    def probability(self) -> float:
        """Of the genre, of the finished sound."""
        return probability_of(self.prediction, self.genre)

    @property
    def worth(self) -> float:
        """The probability; 0 where the bundle takes the sound for no music."""
        return 0.0 if NO_MUSIC in self.prediction.flags else self.probability


Report = Callable[[int, Dream], None]
"""Called with the songs that were tried and the best so far; what it raises ends the search."""


def probability_of(prediction: Prediction, genre: str) -> float:
    """Probability of a genre."""
    return float(prediction.clip_probs[prediction.labels.index(genre)])


def dream(
    classifier: Classifier, genre: str, *, seed: int = 0, steps: int = STEPS,
    report: Report | None = None,
) -> Dream:  # fmt: skip
    """Search a song that a net takes for a genre.

    The same net, genre, seed and number of steps give the same song. Ctrl-C ends the search; what
    was best until then is returned.

    Args:
        classifier: whose net is asked; with one thread it needs one core.
        genre: one of its labels.
        seed: of the search.
        steps: songs to try at most, at least 1.
        report: told how far the search is.

    Raises:
        ValueError: the net knows no such genre, or ``steps`` is below 1.
        ModuleNotFoundError: the extra ``dream`` is not installed.
    """
    if genre not in classifier.bundle.labels:
        labels = ", ".join(classifier.bundle.labels)
        raise ValueError(f"there is no genre {genre!r}; there are {labels}")
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    best: Dream | None = None
    try:
        for n_tried, best in _search(classifier, genre, seed, steps):
            if report is not None:
                report(n_tried, best)
            if best.worth >= WANTED:
                break
    except KeyboardInterrupt:
        if best is None:
            raise
    assert best is not None
    return best


def finish(classifier: Classifier, genre: str, song: Song, *, seed: int) -> Dream:
    """Play a song whole, in stereo and at `LUFS`, and have the net judge it."""
    channels = render_stereo(song, SECONDS, SR, seed=seed)
    n_fade = round(_FADE_S * SR)
    channels[:, -n_fade:] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    mastered = master(channels, SR, lufs=LUFS, peak_db=PEAK_DB)
    if mastered.lufs < LUFS - 0.2:  # all peaks: the limiter takes as much once more
        mastered = master(mastered.channels, SR, lufs=LUFS, peak_db=PEAK_DB)
    prediction = classifier.classify(Waveform(mastered.channels.mean(axis=0), SR))
    return Dream(genre, song, seed, prediction, mastered.channels, mastered.lufs)


def _search(
    classifier: Classifier, genre: str, seed: int, steps: int
) -> Iterator[tuple[int, Dream]]:
    """Songs tried and the best so far, whenever a whole song is better and after each generation.

    First songs by chance, then CMA-ES from the best of them.
    """
    import cma

    rng = np.random.default_rng(seed)
    best: Dream | None = None
    lowest = math.inf

    def tried(song: Song, cost: float) -> Dream | None:
        """The song as the best, finished, if it is."""
        nonlocal best, lowest
        if cost >= lowest + _NEAR:
            return None
        lowest = min(lowest, cost)
        whole = finish(classifier, genre, song, seed=seed)
        if best is None or whole.worth > best.worth:
            best = whole
            return whole
        return None

    starts = rng.random((min(_START, steps), len(parameters())))
    costs = []
    for n_tried, start in enumerate(starts, 1):
        song = Song.from_vector(start)
        costs.append(_cost(classifier, genre, song, seed))
        if better := tried(song, costs[-1]):
            yield n_tried, better
    assert best is not None
    n_tried = len(starts)
    options = {
        "bounds": [0, 1], "popsize": _POPULATION, "verbose": -9, "tolflatfitness": 99,
        # Its own generator, so that numpy's global one is neither used nor set.
        "seed": math.nan, "randn": lambda *shape: rng.standard_normal(shape),
    }  # fmt: skip
    strategy = cma.CMAEvolutionStrategy(starts[int(np.argmin(costs))], _STEP_SIZE, options)
    while n_tried + _POPULATION <= steps and not strategy.stop():
        points = strategy.ask()
        songs = [Song.from_vector(point) for point in points]
        costs = [_cost(classifier, genre, song, seed) for song in songs]
        strategy.tell(points, costs)
        n_tried += len(points)
        first = int(np.argmin(costs))
        tried(songs[first], costs[first])
        yield n_tried, best


def listen(classifier: Classifier, sound: Waveform) -> Prediction:
    """What a net says of a sound but for tempo and key, which a search does not go by."""
    return classifier.classify_features(classifier.features(sound), with_heads=False)


def _cost(classifier: Classifier, genre: str, song: Song, seed: int) -> float:
    """What the search lowers: minus the log odds of the genre, more where it is no music."""
    sr = classifier.bundle.features.sr
    prediction = listen(classifier, Waveform(render(song, PART_S, sr, seed=seed), sr))
    cost = -log_odds(probability_of(prediction, genre))
    return cost + _NO_MUSIC_COST * (NO_MUSIC in prediction.flags)


def log_odds(probability: float) -> float:
    """Natural logarithm of the odds; those of 0 and 1 are finite."""
    inside = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))
