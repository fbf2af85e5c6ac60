"""Fingerprints by fpcalc: a program of that name on PATH, which the tests write themselves."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from audio_makers import encoded
from library_makers import make_song, tune

from genrescope.errors import AudioError
from genrescope.library.catalogue import Catalogue
from genrescope.library.duplicates import find_duplicates
from genrescope.library.fingerprint import Fingerprints, difference
from genrescope.library.fpcalc import HOP_S, SAME, SR, FpcalcFingerprints, available_fingerprints
from genrescope.library.judge import judge
from genrescope.library.scan import scan
from genrescope.library.vectors import load_vectors
from genrescope.model.bundle import Bundle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="writes a program for POSIX")
REAL = shutil.which("fpcalc")

# As fpcalc 1.5.1 does it: samples from standard input, JSON to standard output; a number for each
# third of a frame that says whether it is louder than the one before, 32 times over.
FAKE = """#!{python}
import json, struct, sys
arguments = sys.argv[1:]
with open({calls!r}, "a") as calls:
    print(json.dumps(arguments), file=calls)
assert arguments[-1] == "-" and "-raw" in arguments and "-json" in arguments
data = sys.stdin.buffer.read()
samples = struct.unpack(f"<{{len(data) // 2}}h", data)
blocks = [samples[i : i + 1365] for i in range(0, len(samples) - 1364, 1365)]
power = [sum(s * s for s in block[::8]) for block in blocks]
numbers = [0xFFFFFFFF if b > a else 0 for a, b in zip(power, power[1:])]
if not numbers:
    print("ERROR: Empty fingerprint", file=sys.stderr)
    sys.exit(2)
print(json.dumps({{"duration": 0.0, "fingerprint": numbers}}))
sys.exit(3)
"""


def _program(folder: Path, text: str) -> Path:
    path = folder / "fpcalc"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake fpcalc is on PATH; the file that holds what it was called with."""
    file = tmp_path / "calls.jsonl"
    _program(tmp_path / "bin", FAKE.format(python=sys.executable, calls=str(file)))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return file


@pytest.mark.slow
def test_it_is_used_where_it_is_on_path(calls: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(encoded("flac", tune(1), 22_050))
    with closing(available_fingerprints()) as found:
        assert (found.kind, found.hop_s) == ("fpcalc", HOP_S)
        bits = found.of(path)
    assert bits.dtype == np.uint32
    assert len(bits) == 12 * SR // 1_365 - 1
    _, call = map(json.loads, calls.read_text().splitlines())
    assert ["-rate", str(SR)] == call[call.index("-rate") :][:2]
    assert str(path) not in call


@pytest.mark.slow
def test_what_is_too_short_is_like_nothing(calls: Path, tmp_path: Path) -> None:
    with closing(available_fingerprints()) as found:
        assert len(found.of(make_song(tmp_path / "a.flac", seconds=0.1))) == 0


@pytest.mark.parametrize("text", ["#!/bin/sh\necho no json\n", "#!/bin/sh\nexit 1\n", "no program"])
def test_one_that_does_not_work_is_not_used(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _program(tmp_path / "bin", text)
    monkeypatch.setenv("PATH", str(program.parent))
    with closing(available_fingerprints()) as found:
        assert type(found) is Fingerprints
    path = make_song(tmp_path / "a.flac")
    with (
        closing(FpcalcFingerprints(str(program))) as broken,
        pytest.raises(AudioError, match="fpcalc makes no fingerprint of it"),
    ):
        broken.of(path)


@pytest.mark.slow
def test_signed_numbers_are_the_same_bits(tmp_path: Path) -> None:
    program = _program(
        tmp_path / "bin", "#!/bin/sh\ncat >/dev/null\necho '{\"fingerprint\": [-1]}'\n"
    )
    with closing(FpcalcFingerprints(str(program))) as found:
        assert found.of(make_song(tmp_path / "a.flac")).tolist() == [0xFFFFFFFF]


@pytest.mark.slow
def test_duplicates_are_found_by_it_and_both_kinds_are_kept_apart(
    calls: Path,
    catalogue: Catalogue,
    music: Path,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = Bundle.load(tiny_bundle)
    for name, kind, seed in (("n", "flac", 1), ("n", "mp3", 1), ("other", "flac", 2)):
        (music / f"{name}.{kind}").write_bytes(encoded(kind, tune(seed), 22_050))
    scan(catalogue, [music])
    judge(catalogue, bundle)
    number = catalogue.bundle_id(bundle)
    vectors = load_vectors(catalogue, number, bundle.labels)
    (group,) = find_duplicates(catalogue, number, vectors)
    assert [Path(song.path).name for song in group.songs] == ["n.flac", "n.mp3"]
    assert len(calls.read_text().splitlines()) >= 3
    monkeypatch.setenv("PATH", "")
    assert len(find_duplicates(catalogue, number, vectors)) == 1
    kinds = catalogue.db.execute("SELECT DISTINCT kind FROM fingerprint ORDER BY kind").fetchall()
    assert kinds == [("fpcalc",), ("own",)]


@pytest.mark.skipif(REAL is None, reason="needs fpcalc")
def test_the_real_one_tells_tunes_apart(tmp_path: Path) -> None:
    with closing(FpcalcFingerprints(str(REAL))) as found:
        prints = []
        for name, kind, seed in (("a", "flac", 1), ("b", "mp3", 1), ("c", "flac", 2)):
            path = tmp_path / f"{name}.{kind}"
            path.write_bytes(encoded(kind, tune(seed), 22_050))
            prints.append(found.of(path))
    assert difference(prints[0], prints[1], hop_s=HOP_S) < SAME
    assert difference(prints[0], prints[2], hop_s=HOP_S) > SAME
