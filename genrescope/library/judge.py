"""Judge each sound of a collection once: a moved, retagged or doubled file is not judged anew."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrescope.audio.isolation import FOLDER_LIMITS
from genrescope.errors import AudioError, LibraryError
from genrescope.library.audio_region import audio_hash
from genrescope.library.catalogue import Catalogue, quantise, touch
from genrescope.library.songs import LONG, LONG_S
from genrescope.model.bundle import Bundle
from genrescope.model.prediction import Prediction
from genrescope.sandbox import JobTimeoutError

Answers = Callable[[str, Sequence[str]], Iterator[Prediction | str]]
"""From a bundle's folder and paths: for each, in order, its prediction or why there is none."""

_FILES, _BYTES = 1_000, 1 << 30  # of a batch: starting a worker for it must cost next to nothing
_PENDING = """
SELECT file.id, folder.path, name, size, mtime_ns, audio FROM file
JOIN folder ON folder.id = folder
WHERE file.id > ? AND (audio IS NULL OR NOT EXISTS (
    SELECT 1 FROM judgement WHERE judgement.audio = file.audio AND bundle = ?))
ORDER BY file.id LIMIT ?
"""


@dataclass
class Report:
    """How far a judging came.

    Attributes:
        total: files that had no judgement when it began.
        done: how many of them are dealt with.
        judged: recordings that were decoded and judged.
        known: files whose sound was judged before, or in another file.
        failed: files that have none, each with its reason in the catalogue.
    """

    total: int = 0
    done: int = 0
    judged: int = 0
    known: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _File:
    id: int
    path: str
    size: int
    mtime_ns: int
    audio: bytes | None

    def is_unchanged(self) -> bool:
        try:
            status = Path(self.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


def judge(
    catalogue: Catalogue,
    bundle: Bundle,
    *,
    answers: Answers | None = None,
    progress: Callable[[Report, str | None], None] | None = None,
) -> Report:
    """Judge every file that the bundle has not judged yet.

    Each answer is in the catalogue before the next is asked for, so that a stopped job goes on
    where it was. A file that changed since the scan is left to the next scan.

    Args:
        answers: who classifies; by default this process, one file at a time, decoded in another.
        progress: called after each file, with what went wrong with it, if anything did.

    Raises:
        GenrescopeError: the bundle cannot be used, or the catalogue cannot be written.
    """
    ask = predictions if answers is None else answers
    number = catalogue.bundle_id(bundle)
    report = Report(total=n_pending(catalogue, number))
    after = 0
    while batch := _batch(catalogue, number, after):
        after = batch[-1].id
        todo: dict[bytes, _File] = {}
        for file in batch:
            audio, error = _hashed(catalogue, file)
            if audio is None:
                _tell(report, progress, error, failed=error is not None)
            elif audio in todo or _is_judged(catalogue, audio, number):
                report.known += 1
                _tell(report, progress, None)
            else:
                todo[audio] = file
        replies = ask(os.fspath(bundle.path), [file.path for file in todo.values()])
        for (audio, file), reply in zip(todo.items(), replies, strict=True):
            if not file.is_unchanged():
                _tell(report, progress, f"{file.path}: it changed since the scan. Scan again.")
                continue
            _store(catalogue, audio, number, reply)
            error = reply if isinstance(reply, str) else None
            report.judged += error is None
            _tell(report, progress, error, failed=error is not None)
    return report


def _tell(
    report: Report,
    progress: Callable[[Report, str | None], None] | None,
    error: str | None,
    *,
    failed: bool = False,
) -> None:
    report.done += 1
    report.failed += failed
    if progress is not None:
        progress(report, error)


def n_pending(catalogue: Catalogue, bundle: int) -> int:
    """How many files a bundle, by its number in the catalogue, has not judged yet."""
    row = catalogue.db.execute(
        "SELECT count(*) FROM file WHERE audio IS NULL OR NOT EXISTS (SELECT 1 FROM judgement "
        "WHERE judgement.audio = file.audio AND bundle = ?)",
        (bundle,),
    ).fetchone()
    return int(row[0])


def _batch(catalogue: Catalogue, bundle: int, after: int) -> list[_File]:
    files: list[_File] = []
    n_bytes = 0
    for number, folder, name, size, mtime_ns, audio in catalogue.db.execute(
        _PENDING, (after, bundle, _FILES)
    ).fetchall():
        path = os.fsdecode(os.path.join(folder, name))  # noqa: PTH118
        files.append(_File(number, path, size, mtime_ns, audio))
        n_bytes += size
        if n_bytes > _BYTES:
            break
    return files


def _hashed(catalogue: Catalogue, file: _File) -> tuple[bytes | None, str | None]:
    """The hash of a file's sound, or what went wrong; neither where it changed since the scan."""
    if file.audio is not None:
        return file.audio, None
    try:
        audio = audio_hash(file.path)
    except LibraryError as failure:
        error = str(failure).encode("utf-8", "backslashreplace").decode()
        with catalogue.transaction() as db:
            db.execute("UPDATE file SET error = coalesce(error, ?) WHERE id = ?", (error, file.id))
        return None, error
    if not file.is_unchanged():
        return None, None
    with catalogue.transaction() as db:
        db.execute("UPDATE file SET audio = ? WHERE id = ?", (audio, file.id))
    return audio, None


def _is_judged(catalogue: Catalogue, audio: bytes, bundle: int) -> bool:
    return (
        catalogue.db.execute(
            "SELECT 1 FROM judgement WHERE audio = ? AND bundle = ?", (audio, bundle)
        ).fetchone()
        is not None
    )


def _store(catalogue: Catalogue, audio: bytes, bundle: int, reply: Prediction | str) -> None:
    row: dict[str, object] = {"audio": audio, "bundle": bundle}
    if isinstance(reply, str):
        row["error"] = reply.encode("utf-8", "backslashreplace").decode()
    else:
        raw, scale = quantise(reply.embedding)
        row |= {
            "probabilities": reply.clip_probs.astype("<f4").tobytes(),
            "genre": reply.genre,
            "genres": json.dumps(reply.genres),
            "confidence": reply.confidence,
            "flags": json.dumps(reply.flags),
            "embedding": raw,
            "scale": scale,
            "tempo": None if reply.tempo is None else reply.tempo.bpm,
            "tempo_confidence": None if reply.tempo is None else reply.tempo.confidence,
            "key": None if reply.key is None else reply.key.name,
            "key_confidence": None if reply.key is None else reply.key.confidence,
        }
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    with catalogue.transaction() as db:
        db.execute(
            f"INSERT OR IGNORE INTO judgement ({names}) VALUES ({marks})", list(row.values())
        )
        if not isinstance(reply, str):
            db.execute(
                "UPDATE file SET duration_s = ?, kind = iif(kind = 'track' AND ? > ?, ?, kind) "
                "WHERE audio = ? AND duration_s IS NULL",
                (reply.duration_s, reply.duration_s, LONG_S, LONG, audio),
            )
        touch(db)


def predictions(bundle: str, paths: Sequence[str]) -> Iterator[Prediction | str]:
    """For each path, in order, its prediction or why there is none: `Answers` of this process.

    Recordings are decoded in another, which a bad one may end. Raises BundleError.
    """
    from genrescope.model.classifier import Classifier
    from genrescope.model.isolation import IsolatedFeatures

    if not paths:
        return
    classifier = Classifier.load(bundle)
    limits = FOLDER_LIMITS
    decoders = IsolatedFeatures(classifier.bundle, processes=1, memory_bytes=limits.memory_bytes)
    try:
        for path in paths:
            deadline = time.monotonic() + limits.seconds
            try:
                clip = decoders.features(path, max_duration_s=limits.audio_s, deadline=deadline)
            except AudioError as error:
                yield str(error)
            except JobTimeoutError as error:
                yield f"{path}: {error.reason}."
            except RuntimeError as error:  # what a decoder raised that no decoder should
                yield f"{path}: it could not be decoded ({error})."
            else:
                yield classifier.classify_features(clip)
    finally:
        decoders.sandbox.close()


def probabilities_of(raw: bytes) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The float32 (n_classes,) that a judgement's row holds."""
    return np.frombuffer(raw, "<f4").astype(np.float32)
