"""Pictures of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from genrescope.audio.confined import ConfinedDecoder
from genrescope.audio.waveform import Waveform
from genrescope.data.folder import read_any
from genrescope.data.splits import N_WINDOWS, WINDOW_S
from genrescope.data.track import Track
from genrescope.errors import AudioError, DatasetError
from genrescope.features.config import FeatureConfig
from genrescope.features.spectrogram import log_mel, stft_db
from genrescope.features.windows import random_windows
from genrescope.files import atomic_write
from genrescope.progress import Progress, no_progress

INK = "#22223b"
FAINT = "#8d8da3"
FORMATS = (".png", ".svg", ".pdf")
PAPER = "#fbfaf7"
# One hue for each row; after ten they start again (Tableau 10, calmed).
# fmt: off
HUES = (
    "#4e79a7", "#9c755f", "#c98b3f", "#b07aa1", "#d37295",
    "#5f8f4e", "#55555f", "#e15759", "#3f9e8f", "#c2564b",
)
# fmt: on
SPECTRAL: dict[str, Any] = {"origin": "lower", "aspect": "auto", "cmap": "magma", "vmin": -80.0}


_CLIP_S = 30.0  # of a clip that is drawn
_SR = 22_050
_TRIES = 20  # tracks of a genre that are decoded at most


@dataclass(frozen=True)
class Drawn:
    """What `draw_folder` drew.

    Attributes:
        genres: the genres of which there is a clip.
        failed: what the decoder said of files that were passed over.
    """

    genres: tuple[str, ...]
    failed: tuple[str, ...]


def draw_folder(
    folder: Path, out: Path, *, seed: int = 0, progress: Progress | None = None
) -> Drawn:
    """Draw a clip of each genre of a folder of music into a file, see `draw_dataset`.

    Args:
        folder: of music.
        out: the picture, whose name ends in one of `FORMATS`; its folder is made.
        seed: of the windows' places.
        progress: called after each genre.

    Raises:
        DatasetError: the folder cannot be read, or no clip decodes.
    """
    report = progress or no_progress
    dataset = read_any(folder)
    genres = sorted({track.genre for track in dataset.tracks})
    clips: dict[str, Waveform] = {}
    failed: list[str] = []
    with ConfinedDecoder() as decoder:
        for i, genre in enumerate(genres, 1):
            tracks = [track for track in dataset.tracks if track.genre == genre]
            clip, errors = _clip_of(tracks, decoder)
            failed += errors
            if clip is not None:
                clips[genre] = clip
            report(i, len(genres), genre)
    if not clips:
        raise DatasetError(f"{folder}: no clip decodes.")
    figure = draw_dataset(clips, seed=seed)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as part:
        figure.savefig(part, dpi=130, format=out.suffix.lower()[1:])
    return Drawn(tuple(clips), tuple(failed))


def _clip_of(
    tracks: Sequence[Track], decoder: ConfinedDecoder
) -> tuple[Waveform | None, list[str]]:
    """The first clip with room for all windows, else the longest; and what did not decode."""
    longest: Waveform | None = None
    errors = []
    for track in tracks[:_TRIES]:
        try:
            clip = decoder.decode(track.path or "", sr=_SR, duration=_CLIP_S)
        except AudioError as error:
            errors.append(str(error))
            continue
        if longest is None or clip.duration > longest.duration:
            longest = clip
        if longest.duration >= N_WINDOWS * WINDOW_S:
            break
    return longest, errors


def draw_dataset(
    clips: Mapping[str, Waveform],
    *,
    config: FeatureConfig | None = None,
    window_s: float = WINDOW_S,
    n_windows: int = N_WINDOWS,
    seed: int = 0,
) -> Figure:
    """The talk's slides as one picture.

    Waveform, STFT and log-mel of one clip of each genre; below, the random windows drawn from the
    longest clip.

    Args:
        clips: genre -> clip; at least one.
        config: of the mel spectrogram; the STFT shares its frames.
        window_s: length of a window in s.
        n_windows: as many as that are drawn, fewer where the clip is short.
        seed: of the windows' places.

    Raises:
        ValueError: no clips.
    """
    if not clips:
        raise ValueError("there are no clips to draw")
    config = config or FeatureConfig()
    rows, bottom = len(clips), 4.2
    figure = Figure(
        figsize=(13.5, 1.2 + 1.25 * rows + bottom), facecolor=PAPER, layout="constrained"
    )
    parts: Any = figure.subfigures(2, 1, height_ratios=[0.6 + 1.25 * rows, bottom])
    top, low = parts
    for part in (top, low):
        part.set_facecolor(PAPER)
    grid = top.subplots(rows, 3, squeeze=False, width_ratios=[1, 1, 1])
    for row, (genre, clip), hue in zip(grid, clips.items(), hues(rows), strict=True):
        _draw_clip(row, genre, clip, config, hue)
    for ax, title in zip(
        grid[0], ("Waveform", "STFT, -80 to 0 dB", "Mel spectrogram, -80 to 0 dB"), strict=True
    ):
        ax.set_title(title, loc="left", color=INK, fontsize=12, fontweight="bold", pad=8)
    longest = max(clip.duration for clip in clips.values())
    for ax in grid.flat:
        ax.set_xlim(0, longest)
    for ax in grid[-1]:
        ax.set_xlabel("s", color=FAINT, fontsize=8, labelpad=1)
        ax.tick_params(labelbottom=True)
    genre = max(clips, key=lambda name: clips[name].duration)
    _draw_windows(low, genre, clips[genre], config, window_s, n_windows, seed)
    return figure


def hues(n: int, of: Sequence[str] = HUES) -> list[str]:
    """Colours for ``n`` things, in the order of a palette; after its last they start again."""
    return [of[i % len(of)] for i in range(n)]


def _draw_clip(
    row: NDArray[Any], genre: str, clip: Waveform, config: FeatureConfig, hue: str
) -> None:
    wave, stft, mel = row
    _draw_wave(wave, clip, hue)
    wave.set_ylabel(
        genre, rotation=0, ha="right", va="center", color=hue, fontsize=12, fontweight="bold"
    )
    nyquist = clip.sr / 2000
    stft.imshow(
        stft_db(clip.samples, config), extent=(0, clip.duration, 0, nyquist), vmax=0.0, **SPECTRAL
    )
    stft.set_yticks([0, 5, 10] if nyquist > 10 else [0, nyquist], labels=None)
    stft.set_ylabel("kHz", color=FAINT, fontsize=8)
    mel.imshow(
        log_mel(clip.samples, config),
        extent=(0, clip.duration, 0, config.n_bins),
        vmax=0.0,
        **SPECTRAL,
    )
    mel.set_yticks([0, config.n_bins])
    mel.set_ylabel("band", color=FAINT, fontsize=8)
    for ax in row:
        _calm(ax)
        ax.tick_params(labelbottom=False)


def _draw_wave(ax: Axes, clip: Waveform, hue: str) -> None:
    """The envelope: least and greatest sample of each of some 1,200 stretches."""
    step = max(1, len(clip.samples) // 1200)
    n = len(clip.samples) // step
    stretches = clip.samples[: n * step].reshape(n, step)
    times = (np.arange(n) + 0.5) * step / clip.sr
    pale = tuple(0.55 * c + 0.45 for c in to_rgb(hue))
    ax.fill_between(times, stretches.min(axis=1), stretches.max(axis=1), color=pale, linewidth=0)
    rms = np.sqrt((stretches**2).mean(axis=1))
    ax.fill_between(times, -rms, rms, color=hue, linewidth=0)
    ax.set(ylim=(-1, 1), yticks=[])


def _draw_windows(
    figure: SubFigure,
    genre: str,
    clip: Waveform,
    config: FeatureConfig,
    window_s: float,
    n_windows: int,
    seed: int,
) -> None:
    mel = log_mel(clip.samples, config)
    length = min(mel.shape[1], round(window_s * config.frame_rate))
    n_windows = min(n_windows, mel.shape[1] // length)
    rng = np.random.default_rng(seed)
    starts = random_windows(mel.shape[1], window_length=length, n_windows=n_windows, rng=rng)
    grid = figure.add_gridspec(2, n_windows, height_ratios=[1, 1.25])
    whole = figure.add_subplot(grid[0, :])
    extent = (0, mel.shape[1] / config.frame_rate, 0, config.n_bins)
    whole.imshow(mel, extent=extent, vmax=0.0, alpha=0.55, **SPECTRAL)
    whole.set_title(
        f"{n_windows} random window{'s' * (n_windows > 1)} of {window_s:g} s, without overlap, "
        f"from the {genre} clip",
        loc="left",
        color=INK,
        fontsize=12,
        fontweight="bold",
        pad=8,
    )
    whole.set_yticks([0, config.n_bins])
    whole.set_ylabel("band", color=FAINT, fontsize=8)
    _calm(whole)
    for i, (start, hue) in enumerate(zip(starts, hues(n_windows), strict=True)):
        window = mel[:, start : start + length]
        begin, end = start / config.frame_rate, (start + length) / config.frame_rate
        box = (begin, end, 0, config.n_bins)
        whole.imshow(window, extent=box, vmax=0.0, **SPECTRAL)
        whole.add_patch(
            Rectangle((begin, 0), end - begin, config.n_bins, fill=False, color=hue, linewidth=2.5)
        )
        ax = figure.add_subplot(grid[1, i])
        ax.imshow(window, extent=box, vmax=0.0, **SPECTRAL)
        ax.set_title(f"{begin:.1f} to {end:.1f} s", color=hue, fontsize=10, fontweight="bold")
        ax.set_yticks([])
        _calm(ax)
        for spine in ax.spines.values():
            spine.set(visible=True, color=hue, linewidth=2.5)
    whole.set(xlim=extent[:2], ylim=extent[2:])


def _calm(ax: Axes) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(colors=FAINT, labelsize=7, length=2, width=0.6)
    ax.set_facecolor(PAPER)
