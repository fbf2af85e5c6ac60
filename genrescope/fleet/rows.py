"""What is kept of a song: a row of Parquet, the same bytes whoever writes it.

Columns, in types that DuckDB, Polars and Spark read alike (docs/fleet.md has the table). Of
halves (float16) only some of them do: ``probabilities`` are float32 that hold values of float16,
which take no more room once compressed.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from genrescope.model.prediction import Prediction
from genrescope.model.quantised import quantised

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("bundle", pa.string(), nullable=False),
        pa.field("genre", pa.string()),
        pa.field("probabilities", pa.list_(pa.float32())),
        pa.field("set", pa.list_(pa.string())),
        pa.field("confidence", pa.float32()),
        pa.field("flags", pa.list_(pa.string())),
        pa.field("embedding", pa.list_(pa.int8())),
        pa.field("embedding_scale", pa.float32()),
        pa.field("tempo_bpm", pa.float32()),
        pa.field("key", pa.string()),
        pa.field("duration_s", pa.float32()),
        pa.field("excerpt_s", pa.float32()),
        pa.field("error_code", pa.string()),
        pa.field("error", pa.string()),
    ]
)
COUNTS, LABELS, PLAN_SHA = b"genrescope.counts", b"genrescope.labels", b"genrescope.plan"
"""Keys of what the footer says: songs and errors by code, labels in the order of the
probabilities, SHA-256 of the plan."""

_BYTES_OF_ERROR = 500


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known of a song.

    Attributes:
        id: the song's.
        genre: the most probable label; None for silence, and where there is an error.
        probabilities: float16 (n_classes,), or None.
        set: the labels among which the true one is nine times in ten.
        confidence: probability of the genre.
        flags: see `model.prediction.Prediction`.
        embedding: int8 (d,); times ``scale`` it is a direction of length 1, or 0 for silence.
        scale: of the embedding.
        tempo_bpm, key: see `model.prediction.Prediction`; None where the bundle tells none.
        duration_s: of the recording.
        excerpt_s: how much of it was judged; None where all was.
        error_code, error: why there is no answer: a word, and a sentence; None where there is one.
    """

    id: str
    genre: str | None = None
    probabilities: NDArray[np.float16] | None = None
    set: tuple[str, ...] | None = None
    confidence: float | None = None
    flags: tuple[str, ...] | None = None
    embedding: NDArray[np.int8] | None = None
    scale: float | None = None
    tempo_bpm: float | None = None
    key: str | None = None
    duration_s: float | None = None
    excerpt_s: float | None = None
    error_code: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, song_id: str, prediction: Prediction, *, duration_s: float | None = None) -> Answer:
        """The answer that a prediction is.

        Args:
            song_id: the song's.
            prediction: of the song, or of an excerpt.
            duration_s: of the whole song where it is of an excerpt; else None.
        """
        embedding, scale = quantised(prediction.embedding)
        return cls(
            id=song_id,
            genre=prediction.genre,
            probabilities=prediction.clip_probs.astype(np.float16),
            set=prediction.genres,
            confidence=prediction.confidence,
            flags=prediction.flags,
            embedding=embedding,
            scale=scale,
            tempo_bpm=None if prediction.tempo is None else prediction.tempo.bpm,
            key=None if prediction.key is None else prediction.key.name,
            duration_s=prediction.duration_s if duration_s is None else duration_s,
            excerpt_s=None if duration_s is None else prediction.duration_s,
        )

    @classmethod
    def failed(cls, song_id: str, code: str, text: str) -> Answer:
        """The answer of a song that cannot be classified."""
        return cls(song_id, error_code=code, error=text[:_BYTES_OF_ERROR])


@dataclass(frozen=True)
class Counts:
    """How many songs a part holds, and how many errors of each code."""

    songs: int
    errors: dict[str, int]


def encode(answers: Sequence[Answer], *, bundle: str, labels: Sequence[str], plan: str) -> bytes:
    """A part: a file of Parquet, the same for the same answers.

    Nothing of it depends on when, where or how it was made, but for the version of pyarrow.

    Args:
        answers: in the order of the shard.
        bundle: SHA-256 of the bundle.
        labels: of the probabilities.
        plan: SHA-256 of the plan.
    """
    errors = Counter(a.error_code for a in answers if a.error_code is not None)
    counts = {"songs": len(answers), "errors": dict(sorted(errors.items()))}
    facts = {
        COUNTS: json.dumps(counts).encode(),
        LABELS: json.dumps(list(labels)).encode(),
        PLAN_SHA: plan.encode(),
    }
    columns = [
        [a.id for a in answers],
        [bundle] * len(answers),
        [a.genre for a in answers],
        [None if a.probabilities is None else a.probabilities.astype("f4") for a in answers],
        [a.set for a in answers],
        [a.confidence for a in answers],
        [a.flags for a in answers],
        [a.embedding for a in answers],
        [a.scale for a in answers],
        [a.tempo_bpm for a in answers],
        [a.key for a in answers],
        [a.duration_s for a in answers],
        [a.excerpt_s for a in answers],
        [a.error_code for a in answers],
        [a.error for a in answers],
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA.with_metadata(facts))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_counts(file: BinaryIO) -> Counts:
    """What the footer of a part says (ValueError: it is no part)."""
    try:
        metadata = pq.read_metadata(file).metadata
        payload = json.loads(metadata[COUNTS])
        return Counts(int(payload["songs"]), {str(k): int(n) for k, n in payload["errors"].items()})
    except (pa.ArrowException, OSError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"it is no part ({error})") from error
