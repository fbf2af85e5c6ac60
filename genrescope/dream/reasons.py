"""What a net goes by in a song of ours: what becomes of its probability when a thing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from genrescope.audio.waveform import Waveform
from genrescope.dream.render import render
from genrescope.dream.search import SECONDS, listen, log_odds, probability_of
from genrescope.dream.song import KEYS, Song, parameters
from genrescope.model.classifier import Classifier


@dataclass(frozen=True)
class Reason:
    """A thing that was changed.

    Attributes:
        change: what, in words.
        probability: of the genre, after it.
        genre: what the net then takes it for.
        loss: of log odds, in nats; below 0 where the genre became likelier.
    """

    change: str
    probability: float
    genre: str | None
    loss: float


def _least(*names: str) -> Callable[[Song], Song]:
    """Sets numbers to their lower limits."""
    lowest = {p.name: p.metadata["low"] for p in parameters() if p.name in names}
    return lambda song: replace(song, **lowest)


CHANGES: dict[str, Callable[[Song], Song]] = {
    "without drums": _least("drums"),
    "without bass": _least("bass"),
    "without chords": _least("chords"),
    "without held strings": _least("pad"),
    "without melody": _least("lead"),
    "without distortion": _least("chord_drive", "lead_drive", "bass_drive", "drive"),
    "in a dry room": _least("room"),
    "without swing": _least("swing"),
    "with a flat equaliser": lambda song: replace(
        song, low_db=0.0, high_db=0.0, low_cut_hz=25.0, high_cut_hz=11_000.0
    ),
    "a third slower": lambda song: replace(song, tempo=max(60.0, song.tempo / 1.5)),
    "half as fast again": lambda song: replace(song, tempo=min(180.0, song.tempo * 1.5)),
    "in major": lambda song: replace(song, mode="major"),
    "in minor": lambda song: replace(song, mode="minor"),
    "six semitones higher": lambda song: replace(
        song, key=KEYS[(KEYS.index(song.key) + 6) % len(KEYS)]
    ),
}
"""Changes by their words. What a song does not have, it cannot lose."""


def reasons(classifier: Classifier, song: Song, genre: str, *, seed: int) -> list[Reason]:
    """Change one thing after the other; the greatest loss first.

    Args:
        classifier: whose net is asked.
        song: of a `genrescope.dream.search.Dream`, as are genre and seed.
    """
    sr = classifier.bundle.features.sr

    def answer(changed: Song) -> tuple[float, str | None]:
        sound = Waveform(render(changed, SECONDS, sr, seed=seed), sr)
        prediction = listen(classifier, sound)
        return probability_of(prediction, genre), prediction.genre

    before = log_odds(answer(song)[0])
    found = []
    for words, change in CHANGES.items():
        if (changed := change(song)) != song:
            probability, then = answer(changed)
            found.append(Reason(words, probability, then, before - log_odds(probability)))
    return sorted(found, key=lambda reason: -reason.loss)
