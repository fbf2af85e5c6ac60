"""Work under load: the queue, the memory that all share, the time each may take, and the end."""

from __future__ import annotations

import math
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest
from web.serving import MB, Gatekeeper, StubEngine, form, head, metrics, post, serve, wait_until

from genrescope.model.isolation import OverAllowanceError
from genrescope.sandbox import Sandbox
from genrescope.web import connections
from genrescope.web.app import create_app
from genrescope.web.limits import Limits
from genrescope.web.uploads import Upload


@pytest.mark.slow
def test_beyond_workers_and_queue_it_is_busy_and_says_when_to_come_back() -> None:
    work = Gatekeeper()
    app = create_app(
        engine=StubEngine(work),  # type: ignore[arg-type]
        limits=Limits(workers=1, waiting=1),
    )
    with serve(app) as running, ThreadPoolExecutor(2) as clients:
        accepted = [clients.submit(post, running.url) for _ in range(2)]
        work.started.acquire(timeout=20)
        wait_until(lambda: "genrescope_listening_jobs 2\n" in metrics(running))
        refused = post(running.url)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert httpx.get(f"{running.url}/api/v1/healthz").status_code == 200
        work.go.set()
        assert [job.result().status_code for job in accepted] == [200, 200]
        assert post(running.url).status_code == 200


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_all_uploads_together_are_bounded() -> None:
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        limits=Limits(held_bytes=100_000),
    )
    with serve(app) as running:
        assert post(running.url, b"x" * 100_001).status_code == 503
        assert post(running.url, b"x" * 90_000).status_code == 200


@pytest.mark.slow
def test_work_past_its_time_is_given_up() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work), limits=Limits(work_s=0.1))  # type: ignore[arg-type]
    with serve(app) as running:
        answer = post(running.url)
        work.go.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timed_out")


@pytest.mark.slow
def test_memory_counts_until_the_worker_lets_go_of_it() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work), limits=Limits(work_s=0.1))  # type: ignore[arg-type]
    with serve(app) as running:
        assert post(running.url, b"x" * 1_000).status_code == 504
        held = re.search(r"^genrescope_held_bytes (\S+)$", metrics(running), re.M)
        assert held is not None
        assert float(held[1]) >= 1_000
        work.go.set()
        wait_until(lambda: "genrescope_held_bytes 0\n" in metrics(running))


@pytest.mark.slow
def test_who_hangs_up_while_waiting_leaves_the_queue() -> None:
    work = Gatekeeper()
    limits = Limits(workers=1, waiting=4)
    app = create_app(engine=StubEngine(work), limits=limits)  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(1) as clients:
        first = clients.submit(post, running.url)
        work.started.acquire(timeout=20)
        body = form(b"abc")
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as waiting:
            waiting.sendall(head(running.port, length=len(body)) + body)
            wait_until(lambda: "genrescope_listening_jobs 2\n" in metrics(running))
        wait_until(lambda: "genrescope_listening_jobs 1\n" in metrics(running))
        work.go.set()
        assert first.result().status_code == 200


@pytest.mark.slow
def test_shutdown_finishes_what_is_running() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work))  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(1) as clients:
        answer = clients.submit(post, running.url)
        work.started.acquire(timeout=20)
        running.stop()
        wait_until(lambda: not is_listening(running.port))
        work.go.set()
        assert answer.result().status_code == 200
        running.thread.join(20)
        assert not running.thread.is_alive()


@dataclass
class Hanging(StubEngine):
    """An engine whose decoder never ends."""

    sandbox: Sandbox = field(
        default_factory=lambda: Sandbox("sandbox_handlers:do", {}, processes=1, memory_bytes=MB)
    )

    def classify(
        self,
        upload: Upload,
        *,
        deadline: float = math.inf,
        spectrogram: bool = True,
        quick: bool = False,
    ) -> bytes:
        self.seen.append(upload)
        self.sandbox.run(b"", {"task": "sleep"}, deadline=deadline)
        return b"{}"

    def close(self) -> None:
        self.sandbox.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the handlers are of POSIX")
def test_shutdown_does_not_wait_for_a_decoder_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_GRACE_S", 1)
    engine = Hanging()
    limits = Limits(workers=1, work_s=3_600)
    app = create_app(engine=engine, limits=limits)  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(1) as clients:
        asked = clients.submit(post, running.url)
        wait_until(lambda: bool(engine.seen))
        running.stop()
        running.thread.join(30)
        assert not running.thread.is_alive()
        with pytest.raises(httpx.HTTPError):
            asked.result(timeout=30).raise_for_status()


class Two:
    """Bytes that begin with ``long`` take more than their allowance, and then wait to be let go."""

    def __init__(self) -> None:
        self.late = Gatekeeper()

    def classify(self, upload: Upload, *, quick: bool, **_: object) -> bytes:
        if not upload.data.startswith(b"long"):
            return b"{}"
        if quick:
            raise OverAllowanceError("it takes more than its allowance")
        return self.late(upload)


@pytest.mark.slow
def test_what_is_quick_does_not_wait_for_what_takes_long() -> None:
    work = Two()
    engine = StubEngine()
    engine.classify = work.classify  # type: ignore[method-assign,assignment]
    app = create_app(engine=engine, limits=Limits(workers=2, waiting=8))  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(9) as clients:
        long = [clients.submit(post, running.url, b"long") for _ in range(9)]
        work.late.started.acquire(timeout=20)
        wait_until(lambda: "genrescope_thorough_jobs 9\n" in metrics(running))
        for _ in range(20):
            assert post(running.url, b"short").status_code == 200
        assert post(running.url, b"long").status_code == 503
        held = re.search(r"^genrescope_held_bytes (\S+)$", metrics(running), re.M)
        assert held is not None
        assert float(held[1]) >= 9 * len(b"long")  # for as long as they wait
        work.late.go.set()
        assert [job.result().status_code for job in long] == [200] * 9
        wait_until(lambda: "genrescope_held_bytes 0\n" in metrics(running))


@pytest.mark.slow
def test_what_is_large_is_not_tried_among_what_is_quick() -> None:
    tried: list[tuple[int, bool]] = []

    def classify(upload: Upload, *, quick: bool, **_: object) -> bytes:
        tried.append((len(upload.data), quick))
        return b"{}"

    engine = StubEngine()
    engine.classify = classify  # type: ignore[method-assign,assignment]
    limits = Limits(quick_bytes=100)
    with serve(create_app(engine=engine, limits=limits)) as running:  # type: ignore[arg-type]
        for size in (100, 101):
            assert post(running.url, b"x" * size).status_code == 200
    assert tried == [(100, True), (101, False)]


@pytest.mark.slow
def test_explanations_keep_no_answer_waiting() -> None:
    work = Gatekeeper()
    engine = StubEngine(lambda upload: b"{}")
    engine.classifier = SimpleNamespace(bundle=SimpleNamespace(labels=()))  # type: ignore[attr-defined]
    engine.explain = lambda upload, *_, **__: work(upload)  # type: ignore[attr-defined]
    app = create_app(engine=engine, limits=Limits(workers=2, waiting=8))  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(9) as clients:
        address = f"{running.url}/api/v1/explain"
        files = {"file": ("a.wav", b"abc")}
        asked = [clients.submit(httpx.post, address, files=files, timeout=30) for _ in range(9)]
        wait_until(lambda: "genrescope_thorough_jobs 9\n" in metrics(running))
        assert post(running.url).status_code == 200
        assert httpx.post(address, files=files).status_code == 503
        work.go.set()
        assert [job.result().status_code for job in asked] == [200] * 9


@pytest.mark.slow
def test_both_ways_together_have_one_deadline() -> None:
    work = Two()
    engine = StubEngine()
    engine.classify = work.classify  # type: ignore[method-assign,assignment]
    limits = Limits(workers=1, work_s=0.2)
    with serve(create_app(engine=engine, limits=limits)) as running:  # type: ignore[arg-type]
        answer = post(running.url, b"long")
        work.late.go.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timed_out")


@pytest.mark.slow
def test_a_guess_is_refused_where_others_work() -> None:
    work = Gatekeeper()
    limits = Limits(workers=1, waiting=4)
    app = create_app(engine=StubEngine(work), limits=limits)  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(1) as clients:
        first = clients.submit(post, running.url)
        work.started.acquire(timeout=20)
        files = {"file": ("a.wav", b"abc")}
        guess = httpx.post(f"{running.url}/api/v1/classify?live=true", files=files)
        assert (guess.status_code, guess.json()["error"]["code"]) == (503, "busy")
        work.go.set()
        assert first.result().status_code == 200
        assert httpx.post(f"{running.url}/api/v1/classify?live=true", files=files).is_success
