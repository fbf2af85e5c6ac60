"""What the page knows that names genres in the browser itself, without a server.

The front end and all that follows the net are written a second time, in JavaScript under
``static/local``. Their settings are not: they come from the bundle, and from here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrescope.audio.decode import LOUDEST
from genrescope.audio.meter import SILENCE_PEAK
from genrescope.audio.mixing import CANCELS
from genrescope.audio.reader import BLOCK_LENGTH
from genrescope.features import chroma, outliers, rhythm, silence, spectrogram, texture
from genrescope.model import (
    classifier,
    explain,
    inference,
    key,
    novelty,
    occlusion,
    prediction,
    similar,
    tempo,
)
from genrescope.web.engine import EXPLAINED_LUFS, EXPLAINED_PEAK_DB, MAX_COLUMNS

MAX_S = 600.0
"""Longest recording that a browser is asked to decode, which holds it in memory whole, s."""


def settings() -> dict[str, Any]:
    """What the browser takes from the Python code, JSON-ready."""
    return {
        "max_s": MAX_S,
        "loudest": LOUDEST,
        "block_length": BLOCK_LENGTH,
        "cancels": CANCELS,
        "silence_peak": SILENCE_PEAK,
        "amin": spectrogram.AMIN,
        "cell_s": outliers.CELL_S,
        "outlying": list(outliers.OUTLYING.items()),
        "longest_s": outliers.LONGEST_S,
        "most_of_clip": outliers.MOST_OF_CLIP,
        "silence": outliers.SILENCE,
        "bridged": outliers.BRIDGED,
        "inaudible_hz": outliers.INAUDIBLE_HZ,
        "silent_db": silence.SILENT_DB,
        "shortest_s": silence.SHORTEST_S,
        "shortest_window_s": inference.SHORTEST_WINDOW_S,
        "batch_frames": inference.BATCH_FRAMES,
        "too_little_s": classifier.TOO_LITTLE_S,
        "apart_s": prediction.APART_S,
        "picture_columns": MAX_COLUMNS,
        "texture_floor_db": texture.FLOOR_DB,
        "novelty_windows": novelty.MAX_WINDOWS,
        "novelty_clip": novelty.MAX_DEVIATIONS,
        "search_url": similar.SEARCH_URL,
        "occlusion_bands": occlusion.N_BANDS,
        "occlusion_times": occlusion.N_TIMES,
        "occlusion_patch": occlusion.PATCH_TIMES,
        "occlusion_steps": occlusion.N_STEPS,
        "occlusion_random": occlusion.N_RANDOM,
        "regions_hz": [
            [edge if np.isfinite(edge) else None, name] for edge, name in explain.REGIONS_HZ
        ],
        "regions_top_hz": explain.REGIONS_TOP_HZ,
        "explained_lufs": EXPLAINED_LUFS,
        "explained_peak_db": EXPLAINED_PEAK_DB,
        "rhythm": {
            "n_tempi": rhythm.N_TEMPI,
            "lowest_bpm": rhythm.LOWEST_BPM,
            "bins_per_octave": rhythm.BINS_PER_OCTAVE,
            "margin": rhythm.MARGIN,
            "n_bands": rhythm.N_BANDS,
            "n_timbre_bands": rhythm.N_TIMBRE_BANDS,
            "section_s": rhythm.SECTION_S,
            "trend_frames": rhythm.TREND_FRAMES,
            "finer": rhythm.FINER,
        },
        "tempo": {
            "tolerance": tempo.TOLERANCE,
            "factors": list(tempo.FACTORS),
            "around": tempo.AROUND,
        },
        "chroma": {
            "lowest_a_hz": chroma.LOWEST_A_HZ,
            "n_octaves": chroma.N_OCTAVES,
            "block_frames": chroma.BLOCK_FRAMES,
            "around": chroma.AROUND,
        },
        "keys": [
            {"name": name, "camelot": key.camelot(place)} for place, name in enumerate(key.KEYS)
        ],
    }
