"""What is fuzzed of our own: each parser as a function of any bytes, which holds or raises.

A target may only do what its parser promises: return, or raise the error that it documents. All
else is a finding. ``python -m fuzzing NAME`` runs one under Atheris; `test_targets` drives all of
them briefly in every test run.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genrescope.audio import encryption, mpeg, ogg, tags, truncation
from genrescope.audio.excerpt import cut_excerpt
from genrescope.audio.source import Input
from genrescope.cli.journal import Journal
from genrescope.cli.output import Csv, JsonLines
from genrescope.errors import BundleError, FleetError, GenrescopeError, LibraryError
from genrescope.fleet.manifest import read_manifest
from genrescope.fleet.plan import read_plan
from genrescope.fleet.rows import read_counts
from genrescope.fleet.store import DiskFolder
from genrescope.library.audio_region import audio_hash
from genrescope.library.cue import albums_of
from genrescope.library.tags.reading import read_tags
from genrescope.model import schema
from genrescope.web.limits import Limits
from genrescope.web.problems import ProblemError
from genrescope.web.uploads import _Form


@dataclass(frozen=True)
class Target:
    """A parser under fire.

    Attributes:
        fuzz_one: takes any bytes.
        seeds: files that it reads gladly, for mutations to begin with.
    """

    fuzz_one: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


def _input(data: bytes) -> Input:
    return Input(io.BytesIO(data), "file")


def _check(holds: bool) -> None:
    assert holds


def _truncation(data: bytes) -> None:
    for container in truncation._LOOKS:
        truncation.container_is_cut(_input(data), container, last_packet=data[:8])
    truncation.container_is_cut(_input(data), "mp3", last_packet=data)
    truncation.segment_has_size(_input(data))
    truncation.pcm_is_cut(data.decode("latin-1"))


def _encryption(data: bytes) -> None:
    for container in ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "asf", "wav"):
        encryption.locked_tracks(_input(data), container)


def _ogg(data: bytes) -> None:
    links = ogg.links(_input(data))
    assert sum(link.size for link in links) <= len(data)
    assert all(link.peek(0, 4) == b"OggS" for link in links if len(links) > 1)
    ogg.rate_and_channels(links)
    ogg.ogg_is_cut(_input(data))


def _mpeg(data: bytes) -> None:
    frame, length = mpeg.mpeg_frame(data), mpeg.frame_length(data)
    assert length >= 0
    if frame is not None:
        assert frame.length > 0
        assert frame.sr >= 8_000
        assert frame.side[1] <= 38
    mpeg.has_frame_count(_input(data))
    mpeg.is_free_format(_input(data))


def _tags(data: bytes) -> None:
    sound = tags.without_tags(_input(data))
    assert 0 <= sound.size <= len(data)
    assert sound.size > 0 or not data


def _excerpt(data: bytes) -> None:
    for seconds in (0.1, 30.0):
        excerpt = cut_excerpt(_input(data), seconds)
        if excerpt is not None:
            assert 0 < len(excerpt.data) < len(data) + 200
            assert excerpt.duration_s > 0


def _bundle(data: bytes) -> None:
    try:
        schema.parse(data)
    except BundleError as error:
        _check(str(error).isprintable())


def _journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "answers")
        for form in (JsonLines(stamp=lambda _: ""), Csv(("rock",), stamp=lambda _: "")):
            path.write_bytes(data)
            try:
                with Journal(str(path), form) as journal:
                    journal.take_up([], [])
            except GenrescopeError:
                assert path.read_bytes() == data  # what is not ours stays


_BOUNDARY = b"boundary"


def _multipart(data: bytes) -> None:
    """The first byte says in pieces of which size the others arrive."""
    limits = Limits(upload_bytes=4_096, form_bytes=1_024, form_parts=4, workers=1)
    form, size = _Form(_BOUNDARY, limits), max(1, data[0] if data else 1)
    try:
        for i in range(1, len(data), size):
            form.feed(data[i : i + size])
            assert form.kept <= limits.upload_bytes + limits.form_bytes + size
        upload = form.finish()
    except ProblemError as problem:
        _check(400 <= problem.status < 500)
    else:
        assert len(upload.data) <= limits.upload_bytes
        assert upload.name.isprintable()


def _manifest(data: bytes) -> None:
    """A table of songs in either form, a plan, and a part of answers."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("csv", "parquet"):
            path = Path(folder, f"songs.{suffix}")
            path.write_bytes(data)
            with suppress(FleetError):
                for batch in read_manifest(str(path)):
                    assert batch["uri"].null_count == 0
        Path(folder, "plan.json").write_bytes(data)
        with suppress(FleetError):
            read_plan(DiskFolder(folder))
    with suppress(ValueError):
        read_counts(io.BytesIO(data))


def _cue(data: bytes) -> None:
    with _on_disk(data) as path:
        assert all(isinstance(album, bytes) for album in albums_of(path))


def _region(data: bytes) -> None:
    """The hash of a file's sound, and its tags by mutagen."""
    with _on_disk(data) as path:
        with suppress(LibraryError):
            assert len(audio_hash(path)) == 20
        with suppress(LibraryError):
            read_tags(path)


@contextmanager
def _on_disk(data: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp()
    try:
        os.write(descriptor, data)
        yield Path(name)
    finally:
        os.close(descriptor)
        Path(name).unlink()


def _sounds(*kinds: str) -> tuple[bytes, ...]:
    from soak.kinds import seed_file

    return tuple(seed_file(kind) for kind in kinds)


def _table() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"uri": ["a.mp3", "s3://b/c.mp3"], "size": [1, None]}), buffer)
    return buffer.getvalue()


def _records() -> tuple[bytes, ...]:
    line = json.dumps({"path": "a.mp3", "stamp": "x", "genre": "rock"}).encode() + b"\n"
    deep = b'{"path": "a.mp3", "x": ' + b"[" * 100_000 + b"\n"
    table = Csv(("rock",), stamp=lambda _: "")
    assert table.header is not None
    row = io.StringIO(newline="")
    csv.writer(row).writerow(["a.mp3"] + [""] * table.header.count(","))
    return line, line + line[:20], deep, f"{table.header}\n{row.getvalue()}".encode()


def _bundle_text() -> bytes:
    from genrescope.model.bundle import DEFAULT_BUNDLE

    return (DEFAULT_BUNDLE / "bundle.json").read_bytes()


_FORM = (
    b"\x20--boundary\r\nContent-Disposition: form-data; name=file; filename=a.mp3\r\n\r\nsound\r\n"
    b"--boundary\r\nContent-Disposition: form-data; name=bundle\r\n\r\ndefault\r\n--boundary--\r\n"
)
_SHEET = b'FILE "album.flac" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n  TRACK 02 AUDIO\n'


def targets() -> dict[str, Target]:
    """By name; made anew, for some seeds are encoded."""
    containers = ("m4a", "mp4-fragments", "webm-browser", "ogg", "wav16", "avi", "wma", "flv")
    plan = b'{"format_version": 1, "source": "x", "shards": [\n{"songs": 1, "sha256": "ab"}\n]}\n'
    return {
        "truncation": Target(_truncation, _sounds(*containers, "caf", "mpegts", "mpeg", "mp3")),
        "encryption": Target(_encryption, _sounds("m4a", "webm", "wma")),
        "ogg": Target(_ogg, (*_sounds("ogg", "opus"), b"".join(_sounds("ogg", "opus")))),
        "mpeg": Target(_mpeg, _sounds("mp3", "mp2", "aac")),
        "tags": Target(
            _tags,
            (
                b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + b"sound" + b"TAG" + bytes(125),
                b"sound" + b"LYRICSBEGIN" + b"x" * 9 + b"000020LYRICS200",
                b"sound" + b"APETAGEX" + b"\xd0\7\0\0" + b"\x20\0\0\0" + bytes(16),
            ),
        ),
        "excerpt": Target(_excerpt, _sounds("wav16", "flac", "mp3", "mp2")),
        "bundle": Target(_bundle, (_bundle_text(),)),
        "journal": Target(_journal, _records()),
        "multipart": Target(_multipart, (_FORM,)),
        "manifest": Target(_manifest, (b"uri,size\na.mp3,1\n", _table(), plan)),
        "region": Target(
            _region, _sounds("ogg", "opus", "m4a", "flac", "wav16", "aiff", "wma", "mp3", "w64")
        ),
        "cue": Target(_cue, (_SHEET, b"\n" * 200_000)),
    }


def mutated(seed: bytes, rng: np.random.Generator) -> bytes:
    """A seed with some bytes changed, left out, doubled, or cut off."""
    out = bytearray(seed)
    for _ in range(int(rng.integers(1, 8))):
        i = int(rng.integers(len(out) + 1))
        n = int(rng.integers(1, 32))
        match int(rng.integers(5)):
            case 0:
                out[i : i + 1] = rng.bytes(1)
            case 1:
                del out[i : i + n]
            case 2:
                out[i:i] = out[i : i + n]
            case 3:
                out[i : i + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
            case _:
                del out[i + n :]
    return bytes(out)
