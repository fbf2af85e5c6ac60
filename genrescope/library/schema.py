"""The tables of a catalogue, and how an older one is brought up to date."""

from __future__ import annotations

import sqlite3

from genrescope.errors import LibraryError

APPLICATION_ID = 0x47524C42  # "GRLB": tells a catalogue from any other SQLite file

MIGRATIONS = (
    """
CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,
    scanned REAL                  -- end of the last complete scan, seconds since 1970
) STRICT;

CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL UNIQUE,    -- absolute, as the system spells it
    error TEXT                    -- why it could not be read
) STRICT;

CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    name BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    links INTEGER NOT NULL,       -- names of the same file; 0 for a symbolic link
    kind TEXT NOT NULL,           -- track, long, album
    audio BLOB,                   -- hash of the audio region; NULL until it is judged
    duration_s REAL,
    codec TEXT,
    error TEXT,
    tags TEXT NOT NULL,           -- JSON: [[field, value], ...] in the order of the file
    artist TEXT, album_artist TEXT, album TEXT, title TEXT, genre TEXT, year INTEGER, bpm REAL,
    UNIQUE (folder, name)
) STRICT;
CREATE INDEX file_by_audio ON file (audio);
CREATE INDEX file_by_inode ON file (inode, size, mtime_ns);
CREATE INDEX file_by_artist ON file (artist);

CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2');

CREATE TABLE bundle (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,    -- of all that decides an answer
    name TEXT NOT NULL,
    labels TEXT NOT NULL          -- JSON list
) STRICT;

CREATE TABLE judgement (
    id INTEGER PRIMARY KEY,
    audio BLOB NOT NULL,
    bundle INTEGER NOT NULL REFERENCES bundle,
    error TEXT,                   -- why there is no answer; then all below is NULL
    probabilities BLOB,           -- float32, little-endian, in the order of the labels
    genre TEXT,                   -- NULL for a silent recording
    genres TEXT,                  -- JSON list: the prediction set, best first
    confidence REAL,
    flags TEXT,                   -- JSON list
    embedding BLOB,               -- int8
    scale REAL,                   -- embedding = int8 * scale
    UNIQUE (audio, bundle)
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,           -- apply, undo
    undoes INTEGER REFERENCES run,
    began REAL NOT NULL
) STRICT;

CREATE TABLE edit (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run,
    path BLOB NOT NULL,
    part BLOB NOT NULL,           -- name of the copy in the same folder
    state TEXT NOT NULL,          -- copying, ready, done, void
    changes TEXT NOT NULL,        -- JSON: [[field, [before], [after]], ...]
    audio BLOB NOT NULL,
    inode INTEGER,                -- of the copy, once it is ready
    reason TEXT                   -- why it is void
) STRICT;
CREATE INDEX edit_by_run ON edit (run);
CREATE INDEX edit_open ON edit (state) WHERE state IN ('copying', 'ready');

CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES ('revision', 0);
""",
    """
CREATE TABLE fingerprint (
    audio BLOB PRIMARY KEY,
    bits BLOB NOT NULL            -- uint32, little-endian
) STRICT, WITHOUT ROWID;
""",
    """
INSERT INTO state VALUES ('identity', random());
""",
    """
ALTER TABLE judgement ADD COLUMN tempo REAL;  -- bpm; NULL where the bundle does not tell it
ALTER TABLE judgement ADD COLUMN key TEXT;    -- such as A minor
""",
    """
ALTER TABLE judgement ADD COLUMN tempo_confidence REAL;
ALTER TABLE judgement ADD COLUMN key_confidence REAL;
""",
    """
CREATE TABLE print (
    audio BLOB,
    kind TEXT,                    -- what made it: own, fpcalc
    bits BLOB NOT NULL,           -- uint32, little-endian
    PRIMARY KEY (audio, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO print SELECT audio, 'own', bits FROM fingerprint;
DROP TABLE fingerprint;
ALTER TABLE print RENAME TO fingerprint;
""",
)
"""SQL that leads from each version (``PRAGMA user_version``) to the next; never changed again."""


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring a database to the newest version, each step whole or not at all.

    Args:
        name: what to call it in errors.

    Raises:
        LibraryError: it was made by a newer Genrescope, or is no catalogue.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise LibraryError(name, "it is a database of something else", "Name another file.")
    if version > len(MIGRATIONS):
        raise LibraryError(
            name,
            f"a newer Genrescope made it (version {version}; this one knows {len(MIGRATIONS)})",
            "Upgrade Genrescope.",
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; "
            f"PRAGMA application_id = {APPLICATION_ID}; COMMIT;"
        )
