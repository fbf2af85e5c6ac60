"""The long runs of ``make soak``, cut short."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from audio_makers import chord, encoded
from soak import fuzz, report
from soak.agreement import disagreements
from soak.api import explore
from soak.collection import Damage
from soak.fleet import Disturbance
from soak.fleet_broken import Breakage
from soak.fleet_overhead import Comparison, Course
from soak.folder import disturb
from soak.kinds import KINDS
from soak.load import load, released
from soak.material import Ask, asks
from soak.mutate import mutant
from soak.server import Server, served
from soak.siege import MEMORY_MB, besiege

from genrescope.audio.waveform import Waveform
from genrescope.model import Classifier
from genrescope.model.bundle import DEFAULT_BUNDLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="watches processes the POSIX way"),
]


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tiny_bundle, log=tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def kinds(tiny_bundle: Path) -> list[Ask]:
    return asks(tiny_bundle, short=True)


def test_mutated_files_give_an_answer_or_an_audio_error(tiny_bundle: Path, tmp_path: Path) -> None:
    findings = fuzz.fuzz(4 * len(KINDS), bundle=tiny_bundle, folder=tmp_path, seed=1)
    assert findings.outcomes.keys() == {"sound", "refused"}, findings.outcomes
    assert findings.total == 4 * len(KINDS)
    assert findings.saved == []


def test_a_collection_that_is_harmed_is_told() -> None:
    harmed = Damage(files=2, kills=Counter(apply=3), starved=Counter(scan=1), wrong=["a.mp3: lost"])
    result = report.of_collection(harmed)
    assert result.failures == ["collection: a.mp3: lost"]
    assert "killed 3 times (3 at apply)" in result.text


def test_a_mutant_can_be_made_again() -> None:
    assert mutant(7) == mutant(7)
    assert len({mutant(i)[1] for i in range(100)}) > 90


def test_the_fuzzer_notices_what_dies_and_saves_it(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "soxr.py").write_text("import os; os.abort()")  # the first to resample dies
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    findings = fuzz.fuzz(2, bundle=tiny_bundle, folder=tmp_path / "saved", seed=1)
    assert findings.outcomes == Counter({f"crash (status {-signal.SIGABRT})": 2})
    assert [path.read_bytes() for path in findings.saved] == [mutant(i, seed=1)[1] for i in (0, 1)]


def test_the_fuzzer_knows_a_wrong_outcome(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier.load(tiny_bundle, threads=1)
    data = next(data for i in range(0, 99, 2) if _sounds(data := mutant(i)[1], classifier))
    assert fuzz._outcome(b"nothing", 0, classifier) == "refused"
    monkeypatch.setattr(fuzz, "decode", lambda *_, **__: 1 / 0)
    assert fuzz._outcome(data, 0, classifier).startswith("ZeroDivisionError")
    empty = Waveform(np.zeros(0, np.float32), 22_050)
    monkeypatch.setattr(fuzz, "decode", lambda *_, **__: empty)
    assert fuzz._outcome(data, 0, classifier) == "an answer that is none"


def _sounds(data: bytes, classifier: Classifier) -> bool:
    return fuzz._outcome(data, 0, classifier) == "sound"


def test_the_api_keeps_what_its_description_says(server: Server) -> None:
    found = explore(server.url, examples=6)
    assert found.failures == []
    assert {status for _, _, status in found.statuses} >= {200, 422}


def test_under_load_no_answer_is_wrong_and_everything_is_given_back(
    server: Server, kinds: list[Ask]
) -> None:
    traffic = load(server.url, kinds, n_requests=120)
    assert traffic.wrong == []
    assert traffic.answered + traffic.left == 120
    assert not any(released(server.url).values())


def test_a_wrong_answer_would_be_noticed(server: Server, kinds: list[Ask]) -> None:
    spoilt = [replace(next(ask for ask in kinds if ask.body), body=b"{}")]
    assert len(load(server.url, spoilt, n_requests=3, n_clients=1).wrong) == 3


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="measures memory by /proc")
def test_a_siege_takes_neither_memory_nor_answers(tiny_bundle: Path, tmp_path: Path) -> None:
    good = encoded("wav16", chord(6, 22_050, n_channels=2), 22_050)
    with served(tiny_bundle, log=tmp_path / "log", memory_mb=MEMORY_MB) as server:
        post = {"files": {"file": ("song.wav", good)}, "timeout": 60}
        assert httpx.post(f"{server.url}/api/v1/classify", **post).status_code == 200
        siege = besiege(server.url, good, seconds=12)
        result = report.of_siege(siege, max(server.memory_mb))
        assert result.failures == []
        after = httpx.post(f"{server.url}/api/v1/classify", **post)
        assert after.status_code == 200
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_folder_job_ends_as_if_nothing_had_been(tiny_bundle: Path, tmp_path: Path) -> None:
    survival = disturb(tiny_bundle, tmp_path, n_files=30, n_runs=4)
    assert survival.torn == []
    assert survival.same
    assert survival.endings.total() == 4


@pytest.mark.parametrize("shipped", [False, True])
def test_two_classifiers_in_threads_answer_as_one_alone(tiny_bundle: Path, shipped: bool) -> None:
    if shipped and not (DEFAULT_BUNDLE / "bundle.json").exists():
        pytest.skip("no bundle ships yet")
    compared, wrong = disagreements(DEFAULT_BUNDLE if shipped else tiny_bundle, n_clips=4)
    assert (compared, wrong) == (48, [])


def test_the_report_names_no_failure_where_there_is_none(tmp_path: Path) -> None:
    findings = fuzz.Findings(Counter(sound=2, refused=1, hang=1), Counter({("wav16", "sound"): 2}))
    bad = report.of_fuzz(findings, tmp_path)
    assert bad.failures[0] == "fuzzer: 1 × hang"
    report.write([bad, report.of_agreement((48, []))], tmp_path, command="make soak", bundle="tiny")
    page = (tmp_path / "soak.md").read_text()
    assert "**fuzzer: 1 × hang**" in page
    assert "48 answers" in page
    assert (tmp_path / "soak.csv").read_text().startswith("part,figure,value,command,")


def _disturbed() -> Disturbance:
    found = Disturbance(n_songs=600, planned=2, kills=Counter(driver=1, worker=1), same=True)
    found.again, found.most_again = [400, 0], [400, 200]
    return found


def test_a_fleet_that_was_killed_as_planned_and_lost_nothing_is_well() -> None:
    result = report.of_fleet(_disturbed())
    assert result.failures == []
    assert "killed 2 times (1 × driver, 1 × worker): 400 songs" in result.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"planned": 3}, "2 kills fell of 3"),
        ({"same": False}, "not those of an undisturbed run"),
        # More than is allowed here is no better for less than is allowed there.
        ({"again": [401, 0]}, "were done twice"),
        ({"again": [400, -1]}, "were done twice"),
        ({"reported": {"192.0.2.1"}}, "connected to 192.0.2.1"),
        ({"may_report": {"raylet"}}, "may report its use: raylet"),
    ],
)
def test_what_a_fleet_must_not_do_is_named(changed: dict[str, object], words: str) -> None:
    (failure,) = report.of_fleet(replace(_disturbed(), **changed)).failures
    assert words in failure


def _compared(rate: float, core_ms: float) -> Comparison:
    return Comparison(
        0, 10, {"local": Course(100, 2_000, 10, 1), "ray": Course(100, rate, core_ms, 2)}
    )


def test_an_engine_that_takes_too_much_is_named() -> None:
    good = _compared(1_500, 10.5)
    result = report.of_overhead(good, good)
    assert result.failures == []
    assert "1.050 times the processor" in result.text
    assert "0.75 times as many songs" in result.text
    (failure,) = report.of_overhead(_compared(900, 10), good).failures
    assert "900 songs a second" in failure
    (failure,) = report.of_overhead(good, _compared(1_500, 11.5)).failures
    assert "15.0% more of the processor" in failure


def test_a_song_that_got_what_it_should_not_is_named() -> None:
    found = Breakage(100, n_broken=2, n_hanging=1, answered=97, errors=Counter(unreadable=3))
    assert report.of_breakage(found).failures == []
    found.answered, found.wrong = 96, ["000001.wav: None: None"]
    assert len(report.of_breakage(found).failures) == 2
