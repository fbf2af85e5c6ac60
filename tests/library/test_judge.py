from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from bundle_maker import make_bundle
from library_makers import make_song, tag

from genrescope.library.catalogue import Catalogue, dequantise
from genrescope.library.judge import Report, judge, probabilities_of
from genrescope.library.scan import scan
from genrescope.library.songs import songs
from genrescope.model import Classifier, Prediction
from genrescope.model.bundle import Bundle


class Listener:
    """Answers as the bundle does, and remembers for which paths."""

    def __init__(self, bundle: Path) -> None:
        self.paths: list[str] = []
        self._classifier = Classifier.load(bundle)

    def __call__(self, _: str, paths: Sequence[str]) -> Iterator[Prediction | str]:
        for path in paths:
            self.paths.append(Path(path).name)
            yield self._classifier.classify(path)


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


@pytest.fixture
def listener(tiny_bundle: Path) -> Listener:
    return Listener(tiny_bundle)


@pytest.mark.slow
def test_an_answer_is_kept_as_it_was_given(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    path = make_song(music / "1.flac")
    scan(catalogue, [music])
    assert judge(catalogue, bundle) == Report(total=1, done=1, judged=1)
    given = Classifier.load(bundle).classify(path)
    (song,) = songs(catalogue, catalogue.bundle_id(bundle))
    assert (song.sound, song.genres, song.flags) == (given.genre, given.genres, given.flags)
    assert song.confidence == pytest.approx(given.confidence)
    assert song.probabilities is not None
    np.testing.assert_array_equal(probabilities_of(song.probabilities), given.clip_probs)
    raw, scale = catalogue.db.execute("SELECT embedding, scale FROM judgement").fetchone()
    np.testing.assert_allclose(dequantise(raw, scale), given.embedding, atol=0.005)


def test_a_duplicate_is_judged_once(
    catalogue: Catalogue, music: Path, bundle: Bundle, listener: Listener
) -> None:
    path = make_song(music / "1.flac", title="One")
    shutil.copy(path, music / "2.flac")
    tag(music / "2.flac", title="Another title")
    scan(catalogue, [music])
    report = judge(catalogue, bundle, answers=listener)
    assert (report.judged, report.known, len(listener.paths)) == (1, 1, 1)
    assert all(song.is_judged for song in songs(catalogue, catalogue.bundle_id(bundle)))


def test_moved_and_retagged_files_are_not_judged_anew(
    catalogue: Catalogue, music: Path, bundle: Bundle, listener: Listener
) -> None:
    make_song(music / "1.flac").rename(music / "moved.flac")
    tagged = make_song(music / "2.mp3", seed=2)
    scan(catalogue, [music])
    judge(catalogue, bundle, answers=listener)
    (music / "moved.flac").rename(music / "again.flac")
    tag(tagged, title="New")
    scan(catalogue)
    report = judge(catalogue, bundle, answers=listener)
    assert (report.judged, len(listener.paths)) == (0, 2)
    assert all(song.is_judged for song in songs(catalogue, catalogue.bundle_id(bundle)))


@pytest.mark.slow
def test_a_new_model_adds_rows_and_loses_none(
    catalogue: Catalogue, music: Path, bundle: Bundle, tmp_path: Path
) -> None:
    make_song(music / "1.flac")
    scan(catalogue, [music])
    judge(catalogue, bundle)
    other = make_bundle(tmp_path / "other", temperature=3.0)
    assert judge(catalogue, other).judged == 1
    assert catalogue.counts()["judgements"] == 2


def test_a_stopped_job_goes_on_where_it_was(
    catalogue: Catalogue, music: Path, bundle: Bundle, listener: Listener
) -> None:
    for i in range(4):
        make_song(music / f"{i}.flac", seed=i)
    scan(catalogue, [music])

    def stop(report: Report, _: str | None) -> None:
        if report.judged == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(catalogue, bundle, answers=listener, progress=stop)
    assert judge(catalogue, bundle, answers=listener).judged == 2
    assert sorted(listener.paths) == ["0.flac", "1.flac", "2.flac", "3.flac"]


@pytest.mark.slow
def test_a_file_that_fails_is_a_row_with_its_reason(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    (music / "bad.mp3").write_bytes(b"no sound" * 100)
    (music / "empty.mp3").touch()
    make_song(music / "good.flac")
    scan(catalogue, [music])
    told: list[str] = []
    report = judge(catalogue, bundle, progress=lambda _, error: told.append(error or ""))
    assert (report.judged, report.failed, report.done) == (1, 2, 3)
    assert sorted(bool(line) for line in told) == [False, True, True]
    bad, empty, _ = songs(catalogue, catalogue.bundle_id(bundle))
    assert "bad.mp3" in str(bad.error)
    assert "empty" in str(empty.error)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="dies by a POSIX signal")
@pytest.mark.usefixtures("crashing_soundfile")
def test_a_file_that_crashes_the_decoder_is_a_row_with_its_reason(
    catalogue: Catalogue,
    music: Path,
    bundle: Bundle,
    tmp_path: Path,
) -> None:
    make_song(music / "crash.flac")
    make_song(music / "good.flac", seed=2)
    hostile = Path(__file__).parents[1] / "soak/corpus/decoder-not-admitted-imc"
    shutil.copy(hostile, music / "hostile.avi")
    scan(catalogue, [music])
    report = judge(catalogue, bundle)
    assert (report.judged, report.failed, report.done) == (1, 2, 3)
    crash, good, bad = songs(catalogue, catalogue.bundle_id(bundle))
    assert "crash.flac: it crashed the decoder (Segmentation fault)" in str(crash.error)
    assert good.error is None
    assert "in a coding that cannot be read" in str(bad.error)


@pytest.mark.slow
def test_what_changed_since_the_scan_is_left_to_the_next(
    catalogue: Catalogue, music: Path, bundle: Bundle
) -> None:
    path = make_song(music / "1.flac")
    scan(catalogue, [music])
    tag(path, title="Somebody was quicker")
    assert judge(catalogue, bundle).judged == 0
    scan(catalogue)
    assert judge(catalogue, bundle).judged == 1
