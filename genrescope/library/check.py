"""Whether a catalogue is intact, and whether a write of tags was left half done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from genrescope.files import printable
from genrescope.library.catalogue import Catalogue
from genrescope.library.tags.parts import is_part


def check(catalogue: Catalogue) -> list[str]:
    """What is wrong, one sentence each; nothing where all is well.

    Looked at: the database itself, judgements of the wrong size, writes of tags that were
    interrupted (the next `tags apply` clears them up), and their copies in folders of music.
    """
    return [*_database(catalogue), *_judgements(catalogue), *_edits(catalogue), *_parts(catalogue)]


def _database(catalogue: Catalogue) -> Iterator[str]:
    for (finding,) in catalogue.db.execute("PRAGMA integrity_check").fetchall():
        if finding != "ok":
            yield f"{catalogue.path}: the database is damaged: {finding}."
    broken = catalogue.db.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        yield f"{catalogue.path}: {len(broken)} rows belong to others that are not there."
    lost = catalogue.db.execute(
        "SELECT count(*) FROM file WHERE NOT EXISTS "
        "(SELECT 1 FROM words WHERE words.rowid = file.id)"
    ).fetchone()[0]
    if lost:
        yield f"{catalogue.path}: {lost} files cannot be found by their words."


def _judgements(catalogue: Catalogue) -> Iterator[str]:
    for name, count in catalogue.db.execute(
        "SELECT name, count(*) FROM judgement JOIN bundle ON bundle.id = bundle "
        "WHERE error IS NULL AND length(probabilities) <> 4 * json_array_length(labels) "
        "OR error IS NULL AND (embedding IS NULL OR scale IS NULL) GROUP BY bundle"
    ).fetchall():
        yield f"{catalogue.path}: {count} judgements of {name} are damaged."


def _edits(catalogue: Catalogue) -> Iterator[str]:
    for (path,) in catalogue.db.execute(
        "SELECT path FROM edit WHERE state IN ('copying', 'ready')"
    ).fetchall():
        yield f"{printable(os.fsdecode(path))}: writing its tags was interrupted."


def _parts(catalogue: Catalogue) -> Iterator[str]:
    for (folder,) in catalogue.db.execute("SELECT path FROM folder").fetchall():
        try:
            names = os.listdir(folder)  # noqa: PTH208  (bytes: a name may be no text)
        except OSError:
            continue
        for name in filter(is_part, names):
            yield f"{printable(str(Path(os.fsdecode(folder), os.fsdecode(name))))}: a copy is left."
