"""From the features of a clip to probabilities: the only path by which a net answers.

    features in dB -> without silences -> standardised -> windows -> net -> softmax -> mean

The net is any function from windows to a `NetOutput`: a bundle's ONNX session
(`genrescope.model.net`) or a torch net of the laboratory (`genrescope.lab.nets.inference`). So what
training validates, what evaluation measures and what a user is told come from the same code.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrescope.features.config import FeatureConfig
from genrescope.features.silence import sounding
from genrescope.features.spectrogram import Scale, standardise
from genrescope.features.windows import grid, place, spread, take

Array = NDArray[Any]

SHORTEST_WINDOW_S = 2.0
"""Length of the shortest window that a net is given, s; what is shorter still is repeated. Nets
that learn from 3 s tell as much by 2 s as by 2 s repeated to a longer window (docs/log.md)."""

BATCH_FRAMES = 320
"""Frames that a net is given at a time: little new memory to page in, and none that grows."""


@dataclass(frozen=True, eq=False)
class NetOutput:
    """What a net says of windows.

    Attributes:
        logits: float (n_windows, n_classes).
        steps: float (n_windows, n_steps, n_classes), logits of equal parts of each window; None
            where the net does not tell them apart.
        embedding: float (n_windows, d); None where the net gives none.
    """

    logits: Array
    steps: Array | None = None
    embedding: Array | None = None

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, windows: slice) -> NetOutput:
        return NetOutput(
            self.logits[windows],
            None if self.steps is None else self.steps[windows],
            None if self.embedding is None else self.embedding[windows],
        )


Net = Callable[[NDArray[np.float32]], NetOutput]
"""Answers for standardised windows, float32 (n_windows, n_bins, n_frames)."""


@dataclass(frozen=True)
class Windowing:
    """How a clip is cut into windows.

    Attributes:
        window_length: frames of a window.
        hop_length: frames from one window to the next, at most ``window_length``.
        stretched: whether windows are stretched until they fill the clip, as all that ships has
            them (`features.windows.spread`). Else all have ``window_length``, and the last one
            ends where the clip does (`features.windows.grid`), as in the talk's experiments.
        shortest: frames of the window of a shorter clip, see `features.windows.spread`.
    """

    window_length: int
    hop_length: int
    stretched: bool = True
    shortest: int | None = None

    @classmethod
    def of_length(
        cls, window_length: int, hop_length: int | None = None, *, config: FeatureConfig
    ) -> Windowing:
        """How all that ships cuts clips.

        Args:
            window_length: frames of a window.
            hop_length: from one to the next; side by side if None.
            config: the front end, which tells how many frames the shortest window has.
        """
        shortest = round(SHORTEST_WINDOW_S * config.frame_rate)
        return cls(window_length, hop_length or window_length, shortest=shortest)

    def places(self, n_frames: int) -> tuple[NDArray[np.int64], int]:
        """Starts of the windows of a clip, int64 (n_windows,), and the length of each, frames."""
        if self.stretched:
            return spread(
                n_frames,
                window_length=self.window_length,
                hop_length=self.hop_length,
                shortest=self.shortest,
            )
        starts = grid(n_frames, window_length=self.window_length, hop_length=self.hop_length)
        return starts, self.window_length

    def tells_apart(self, n_parts: int, length: int) -> bool:
        """Whether the parts of a window are more than guesses: a short clip's may be too short."""
        return length >= self.window_length or length >= n_parts * (self.shortest or 0)


@dataclass(frozen=True, eq=False)
class PreparedClip:
    """A clip's features, ready to be cut into windows.

    Attributes:
        features: float32 (n_bins, n_frames), dB, without silences.
        frames: int64 (n_frames,), which frames of the recording these are.
    """

    features: NDArray[np.float32]
    frames: NDArray[np.int64]

    def standardised(self) -> NDArray[np.float32]:
        """What the net takes: the features with mean 0 and standard deviation 1."""
        return standardise(self.features)


def prepare(features: NDArray[np.float32], config: FeatureConfig) -> PreparedClip:
    """Leave the silences of a clip out.

    Args:
        features: dB, float32 (n_bins, n_frames); of a waveform its samples, of which none are left
            out.
        config: the front end that made them.
    """
    n_frames = features.shape[1]
    if config.kind == "waveform":
        return PreparedClip(features, np.arange(n_frames))
    frames = sounding(features, frame_rate=config.frame_rate)
    if len(frames) == n_frames:
        return PreparedClip(features, frames)
    return PreparedClip(features[:, frames], frames)


def standardised_span(
    features: NDArray[np.float32], span: tuple[float, float], config: FeatureConfig
) -> NDArray[np.float32]:
    """A part of a clip, standardised with the whole of it; silences are kept.

    Args:
        features: dB, float32 (n_bins, n_frames), of the whole clip.
        span: start and end of the part, s.
        config: the front end that made the features.

    Returns:
        float32 (n_bins, n_frames of the part).
    """
    start, end = span
    x = standardise(features)
    n_frames = max(1, round((end - start) * config.frame_rate))
    return x[:, place(x.shape[1], start, n_frames=n_frames, frame_rate=config.frame_rate)]


def infer(
    clips: Iterable[NDArray[np.floating[Any]] | PreparedClip],
    net: Net,
    windowing: Windowing,
    *,
    batch_frames: int | None = None,
) -> Iterator[NetOutput]:
    """What a net says of every window of every clip, clip by clip.

    Windows of clips that follow each other share a batch where they are of one length.

    Args:
        clips: standardised, (n_bins, n_frames) each, of any number of frames; or prepared, to be
            standardised window by window, without a second copy of a long one.
        net: the net.
        windowing: how clips are cut.
        batch_frames: frames that the net is given at a time, at least one window; `BATCH_FRAMES`
            if None.
    """
    batch: list[NDArray[np.float32]] = []  # windows that wait for the net
    answered: deque[NetOutput] = deque()  # batches, of which the first may be half taken
    sizes: deque[int] = deque()  # windows of each clip that is not yet complete

    def answer() -> None:
        if batch:
            answered.append(net(np.ascontiguousarray(np.concatenate(batch), np.float32)))
            batch.clear()

    def complete() -> Iterator[NetOutput]:
        while sizes and sum(map(len, answered)) >= sizes[0]:
            yield _take_first(answered, sizes.popleft())

    for clip in clips:
        features = clip.features if isinstance(clip, PreparedClip) else clip
        scale = Scale.of(features) if isinstance(clip, PreparedClip) else None
        starts, length = windowing.places(features.shape[-1])
        at_once = max(1, (batch_frames or BATCH_FRAMES) // length)
        if batch and batch[0].shape[-1] != length:
            answer()
        sizes.append(len(starts))
        while len(starts):
            room = at_once - sum(map(len, batch))
            windows = take(features, starts[:room], window_length=length)
            batch.append(windows if scale is None else scale.apply(windows))
            starts = starts[room:]
            if sum(map(len, batch)) >= at_once:
                answer()
        yield from complete()
    answer()
    yield from complete()


def _take_first(outputs: deque[NetOutput], n_windows: int) -> NetOutput:
    """Take the first windows off a queue of outputs that holds at least so many."""
    parts = []
    while n_windows:
        output = outputs.popleft()
        parts.append(output[:n_windows])
        if len(output) > n_windows:
            outputs.appendleft(output[n_windows:])
        n_windows -= len(parts[-1])
    return NetOutput(
        np.concatenate([part.logits for part in parts]),
        _joined([part.steps for part in parts]),
        _joined([part.embedding for part in parts]),
    )


def _joined(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def softmax(logits: Array, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities, float64 (..., n_classes), of logits divided by a temperature."""
    z = np.asarray(logits, np.float64) / temperature
    z -= z.max(axis=-1, keepdims=True)
    probs: NDArray[np.float64] = np.exp(z)
    probs /= probs.sum(axis=-1, keepdims=True)
    return probs


def clip_probabilities(logits: Array, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities of a clip, float64 (n_classes,): the mean over its windows.

    Args:
        logits: of the windows, (n_windows, n_classes).
        temperature: what they are divided by.
    """
    mean: NDArray[np.float64] = softmax(logits, temperature).mean(axis=0)
    return mean
