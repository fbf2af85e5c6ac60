"""The catalogue: one SQLite file with everything that is known of a collection."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from genrescope.errors import LibraryError
from genrescope.library.place import check_local, default_catalogue
from genrescope.library.schema import migrate
from genrescope.model.bundle import Bundle
from genrescope.model.quantised import quantised

_WAIT_S = 30.0
"""How long to wait for another process that is writing."""


class Catalogue:
    """An open catalogue; close it, or use it in a ``with`` block.

    Args:
        path: its file, made with its folder where missing; None takes the platform's place.

    Attributes:
        path: its file.
        db: the connection; a statement outside `transaction` is committed at once.

    Raises:
        LibraryError: it lies on a network drive, cannot be opened, or is no catalogue.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = default_catalogue() if path is None else Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            check_local(self.path)
            self.db = sqlite3.connect(
                self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
            with in_words(self.path):
                self.db.execute("PRAGMA journal_mode = WAL")
                self.db.execute("PRAGMA synchronous = FULL")
                self.db.execute("PRAGMA foreign_keys = ON")
                self.db.execute("PRAGMA cache_size = -65536")  # 64 MB
                migrate(self.db, str(self.path))
        except OSError as error:
            raise LibraryError(
                str(self.path), f"it cannot be made ({error.strerror})", "Name another file."
            ) from error
        except sqlite3.OperationalError as error:
            raise LibraryError(
                str(self.path), f"it cannot be opened ({error})", "Check the path and the disk."
            ) from error

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """All that the block writes, or nothing.

        Args:
            durable: on the disk before the block's end. Otherwise a power cut may lose the last
                few transactions, each as a whole; a process that is killed loses none.

        Raises:
            LibraryError: the disk is full, or the file may not be written.
        """
        with in_words(self.path):
            self.db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    def bundle_id(self, bundle: Bundle) -> int:
        """The number that a bundle has here; a new one where it was never used."""
        digest = bundle_hash(bundle)
        row = self.db.execute("SELECT id FROM bundle WHERE hash = ?", (digest,)).fetchone()
        if row is None:
            with self.transaction() as db:
                db.execute(
                    "INSERT OR IGNORE INTO bundle (hash, name, labels) VALUES (?, ?, ?)",
                    (digest, bundle.name, json.dumps(bundle.labels)),
                )
            row = self.db.execute("SELECT id FROM bundle WHERE hash = ?", (digest,)).fetchone()
        return int(row[0])

    def revision(self) -> tuple[int, int]:
        """The catalogue's own random number, and one that grows with every change of files or
        judgements."""
        state = dict(self.db.execute("SELECT name, value FROM state").fetchall())
        return int(state["identity"]), int(state["revision"])

    def counts(self) -> dict[str, int]:
        """How many ``files``, ``judgements``, ``bundles``, ``failures`` and ``runs`` there are."""
        return {
            name: int(self.db.execute(f"SELECT count(*) FROM {source}").fetchone()[0])
            for name, source in (
                ("files", "file"),
                ("judgements", "judgement WHERE error IS NULL"),
                ("failures", "file WHERE error IS NOT NULL"),
                ("bundles", "bundle"),
                ("runs", "run"),
            )
        }


def touch(db: sqlite3.Connection) -> None:
    """Count a change of files or judgements; within the transaction that makes it."""
    db.execute("UPDATE state SET value = value + 1 WHERE name = 'revision'")


def bundle_hash(bundle: Bundle) -> str:
    """SHA-256, in hex, of all that decides what a bundle answers; not of what its card says."""
    description = bundle.to_dict()
    deciding = {
        key: description[key]
        for key in ("labels", "features", "window_s", "hop_s", "temperature", "thresholds")
    }
    deciding["no_music"] = None if bundle.no_music is None else bundle.no_music.to_dict()
    deciding["files"] = {
        name: digest for name, digest in bundle.files.items() if name.endswith(".onnx")
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def quantise(embedding: NDArray[np.floating]) -> tuple[bytes, float]:
    """An embedding as the bytes of int8, and the number these must be multiplied by."""
    values, scale = quantised(embedding)
    return values.tobytes(), scale


def dequantise(raw: bytes, scale: float) -> NDArray[np.float32]:
    """What `quantise` was given, within half a step of 1/127 of its largest value."""
    values: NDArray[np.float32] = np.frombuffer(raw, np.int8).astype(np.float32) * np.float32(scale)
    return values


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """What SQLite cannot do, as a LibraryError that names the catalogue."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorname", "")
        reasons = {
            "SQLITE_FULL": ("the disk is full", "Make room; what it held is kept."),
            "SQLITE_READONLY": ("it may not be written", "Change its permissions."),
            "SQLITE_IOERR": (
                f"the disk cannot be read or written ({error})",
                "Check it, and its room.",
            ),
            "SQLITE_BUSY": ("another process is writing to it", "Wait for its end."),
        }
        for name, (reason, remedy) in reasons.items():
            if code.startswith(name):
                raise LibraryError(str(path), reason, remedy) from error
        raise
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise LibraryError(
                str(path), f"it is no database, or damaged ({error})", "Name another file."
            ) from error
        raise


def is_full(error: OSError) -> bool:
    """Whether a disk or a quota had no room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
