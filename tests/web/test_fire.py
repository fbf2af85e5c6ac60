"""Under load and under fire: limits, refusals, headers, and what the log leaves out."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from web.serving import BOUNDARY, Running, StubEngine, form, head, serve, talk

from genrescope.web import pages, uploads
from genrescope.web.app import create_app
from genrescope.web.limits import Budget, Limits
from genrescope.web.middleware.headers import SECURITY_HEADERS
from genrescope.web.polishing import PolishedSound
from genrescope.web.problems import ProblemError
from genrescope.web.uploads import Upload

MB = 2**20


class Gatekeeper:
    """Work that waits until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, upload: Upload) -> bytes:
        self.started.release()
        self.go.wait(20)
        return b"{}"


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    """A server that takes a megabyte, and waits a quarter of a second."""
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        limits=Limits(upload_bytes=MB, idle_s=0.25, upload_s=0.5),
    )
    with serve(app) as running:
        yield running


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def post(url: str, data: bytes = b"abc") -> httpx.Response:
    return httpx.post(f"{url}/api/v1/classify", files={"file": ("a.wav", data)}, timeout=30)


def test_an_honest_length_over_the_limit_is_refused_before_a_byte_is_sent(small: Running) -> None:
    answer = talk(small.port, head(small.port, length=2 * MB))
    assert status(answer) == 413
    assert b"1 MB" in answer


def test_an_upload_without_length_is_refused_where_it_passes_the_limit(small: Running) -> None:
    start = form(b"")[: -len(BOUNDARY) - 8]
    chunks = [start, *[b"x" * 65_536] * 17]
    wire = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    assert status(talk(small.port, head(small.port, length=None), *wire)) == 413


def test_a_part_that_is_not_the_file_counts_too(small: Running) -> None:
    body = form(b"x" * (MB + 200_000), field_name="other")
    answer = httpx.post(
        f"{small.url}/api/v1/classify",
        content=(body[i : i + 65_536] for i in range(0, len(body), 65_536)),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"},
    )
    assert answer.status_code == 413


def test_a_client_that_sends_everything_first_still_reads_the_refusal(small: Running) -> None:
    answer = post(small.url, b"x" * 20 * MB)
    assert answer.status_code == 413
    assert answer.json()["error"]["remedy"]


def test_the_largest_upload_is_taken(small: Running) -> None:
    assert post(small.url, b"x" * MB).json() == {"bytes": MB}
    assert post(small.url, b"x" * (MB + 1)).status_code == 413


def test_a_client_that_stops_sending_is_let_go(small: Running) -> None:
    answer = talk(small.port, head(small.port, length=1_000), form(b"abc")[:50])
    assert status(answer) == 408


def test_a_client_that_leaves_does_no_harm(small: Running) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", small.port)) as connection:
            connection.sendall(head(small.port, length=1_000) + form(b"abc")[:50])
    assert post(small.url).status_code == 200
    metrics = httpx.get(f"{small.url}/metrics").text
    assert "genrescope_held_bytes 0\n" in metrics


def test_beyond_workers_and_queue_it_is_busy_and_says_when_to_come_back() -> None:
    work = Gatekeeper()
    app = create_app(
        engine=StubEngine(work),  # type: ignore[arg-type]
        limits=Limits(workers=1, waiting=1),
    )
    with serve(app) as running, ThreadPoolExecutor(2) as clients:
        accepted = [clients.submit(post, running.url) for _ in range(2)]
        work.started.acquire(timeout=20)
        while "genrescope_listening_jobs 2" not in httpx.get(f"{running.url}/metrics").text:
            pass
        refused = post(running.url)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert httpx.get(f"{running.url}/api/v1/healthz").status_code == 200
        work.go.set()
        assert [job.result().status_code for job in accepted] == [200, 200]
        assert post(running.url).status_code == 200


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


class PolishingStub(StubEngine):
    """Answers with twenty megabytes."""

    def polish(self, upload: Upload, form: str, *, deadline: float = math.inf) -> PolishedSound:
        return PolishedSound(bytes(20 * MB), "audio/wav", -20.0, -14.0, -1.0)


def test_a_client_that_does_not_read_its_answer_holds_nothing_for_long() -> None:
    app = create_app(
        engine=PolishingStub(),  # type: ignore[arg-type]
        limits=Limits(idle_s=0.25, held_bytes=50 * MB),
    )
    with serve(app) as running, socket.socket() as idler:
        idler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idler.connect(("127.0.0.1", running.port))
        body = form(b"abc")
        idler.sendall(head(running.port, length=len(body), path="/api/v1/polish") + body)
        assert idler.recv(12) == b"HTTP/1.1 200"
        while "genrescope_held_bytes 0\n" not in (text := metrics(running)):
            assert "genrescope_held_bytes 2.09715e+07\n" in text
        assert "genrescope_in_flight 1\n" in text


def test_answers_count_against_the_memory_too() -> None:
    app = create_app(
        engine=PolishingStub(),  # type: ignore[arg-type]
        limits=Limits(held_bytes=10 * MB),
    )
    with serve(app) as running:
        files = {"file": ("a.wav", b"abc")}
        answer = httpx.post(f"{running.url}/api/v1/polish", files=files)
        assert answer.status_code == 503
        assert "genrescope_held_bytes 0\n" in metrics(running)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except OSError:
        return False
    return True


def metrics(running: Running) -> str:
    return httpx.get(f"{running.url}/metrics").text


def test_all_uploads_together_are_bounded() -> None:
    app = create_app(
        engine=StubEngine(),  # type: ignore[arg-type]
        limits=Limits(held_bytes=100_000),
    )
    with serve(app) as running:
        assert post(running.url, b"x" * 100_001).status_code == 503
        assert post(running.url, b"x" * 90_000).status_code == 200


def test_work_past_its_time_is_given_up() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work), limits=Limits(work_s=0.1))  # type: ignore[arg-type]
    with serve(app) as running:
        answer = post(running.url)
        work.go.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timed_out")


def test_memory_counts_until_the_worker_lets_go_of_it() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work), limits=Limits(work_s=0.1))  # type: ignore[arg-type]
    with serve(app) as running:
        assert post(running.url, b"x" * 1_000).status_code == 504
        held = re.search(r"^genrescope_held_bytes (\S+)$", metrics(running), re.M)
        assert held is not None
        assert float(held[1]) >= 1_000
        work.go.set()
        while "genrescope_held_bytes 0\n" not in metrics(running):
            time.sleep(0.01)


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
            while "genrescope_listening_jobs 2\n" not in metrics(running):
                time.sleep(0.01)
        while "genrescope_listening_jobs 1\n" not in metrics(running):
            time.sleep(0.01)
        work.go.set()
        assert first.result().status_code == 200


def test_shutdown_finishes_what_is_running() -> None:
    work = Gatekeeper()
    app = create_app(engine=StubEngine(work))  # type: ignore[arg-type]
    with serve(app) as running, ThreadPoolExecutor(1) as clients:
        answer = clients.submit(post, running.url)
        work.started.acquire(timeout=20)
        running.stop()
        while is_listening(running.port):
            time.sleep(0.01)
        work.go.set()
        assert answer.result().status_code == 200
        running.thread.join(20)
        assert not running.thread.is_alive()


def test_a_fault_of_ours_is_said_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    def fail(upload: Upload) -> bytes:
        raise RuntimeError("the secret of " + upload.name)

    app = create_app(engine=StubEngine(fail))  # type: ignore[arg-type]
    with serve(app) as running:
        answer = post(running.url)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert all(answer.headers[name] == value for name, value in SECURITY_HEADERS.items())


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/nothing", "/api/v1/bundle", "/metrics"])
def test_every_answer_carries_the_security_headers(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%00", "", "."]
)
def test_no_path_reaches_the_file_system(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 404


def test_files_are_sent_once(client: httpx.Client) -> None:
    first = client.get("/static/style.css")
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    ["/", "/static/style.css", "/favicon.ico", "/metrics",
     *(f"/api/v1/{name}" for name in ("docs", "bundle", "healthz", "openapi.json"))],
)  # fmt: skip
def test_what_can_be_read_can_be_looked_at(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"] == client.get(path).headers["content-type"]


def test_the_page_holds_nothing_inline_and_nothing_from_elsewhere(client: httpx.Client) -> None:
    web = Path(pages.__file__).parent
    texts = [f for kind in ("js", "css", "html", "json", "svg") for f in web.rglob(f"*.{kind}")]
    assert len(texts) > 20
    for page in (client.get("/").text, client.get("/api/v1/docs").text):
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
    for file in texts:
        text = file.read_text(encoding="utf-8")
        outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", re.sub(r"^\s*//.*", "", text))
        assert [url for url in outside if "www.w3.org" not in url] == [], file.name


def test_metrics_count_by_template(client: httpx.Client) -> None:
    client.get("/static/style.css")
    client.get("/nothing/that-a-client-made-up")
    client.request("BREW", "/")
    text = client.get("/metrics").text
    assert re.search(
        r'requests_total\{method="GET",route="/static/\{path:path\}",status="200"\} \d', text
    )
    assert "made-up" not in text
    assert "BREW" not in text
    for name in ("in_flight 1", "listening_jobs 0", "held_bytes 0"):
        assert f"genrescope_{name}\n" in text
    buckets = re.findall(r'seconds_bucket\{route="/static/\{path:path\}",le="[^"]*"\} (\d+)', text)
    assert len(buckets) > 1
    assert [int(n) for n in buckets] == sorted(int(n) for n in buckets)


def test_the_log_leaves_recordings_and_their_names_out(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "genrescope.web"):
        client.post("/api/v1/classify?tell=me", files={"file": ("my-secret-song.wav", b"words")})
        client.get("/api/v1/healthz")  # by its answer, the entry before it is written
    entries = [json.loads(r.message) for r in caplog.records if r.name == "genrescope.web"]
    entry = next(entry for entry in entries if entry["route"] == "/api/v1/classify")
    assert entry["status"] == 422
    assert entry["received"] > 0
    assert "secret" not in caplog.text
    assert "tell" not in caplog.text


def test_a_form_is_a_recording_and_little_else(small: Running) -> None:
    part = b"--%s\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" % BOUNDARY
    body = part * 5_000 + form(b"abc")
    answer = talk(small.port, head(small.port, length=len(body)), body)
    assert status(answer) == 413
    assert b"form_too_large" in answer
    body = part * 15 + form(b"abc")
    assert status(talk(small.port, head(small.port, length=len(body)), body)) == 200


def test_an_upload_that_trickles_is_let_go() -> None:
    limits = Limits(idle_s=0.2, upload_rate=10_000)
    with serve(create_app(engine=StubEngine(), limits=limits)) as running:  # type: ignore[arg-type]
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(head(running.port, length=100_000) + form(b"abc")[:50])
            connection.settimeout(0.05)
            answer = b""
            while not answer:
                connection.sendall(b"x")
                try:
                    answer = connection.recv(100)
                except TimeoutError:
                    continue
        assert status(answer) == 408


def test_uploads_that_arrive_slowly_cannot_park_the_memory() -> None:
    limits = Limits(held_bytes=MB, idle_s=60, upload_rate=0)
    with (
        serve(create_app(engine=StubEngine(), limits=limits)) as running,  # type: ignore[arg-type]
        socket.create_connection(("127.0.0.1", running.port), timeout=20) as parked,
    ):
        start = form(b"x" * 900_000)[:-100]
        parked.sendall(head(running.port, length=2 * MB) + start)
        while (answer := post(running.url, b"y" * 500_000)).status_code == 503:
            assert answer.headers["retry-after"]
            time.sleep(0.1)
        assert answer.status_code == 200
        assert status(parked.recv(1_000)) == 408


def test_headers_of_parts_count_against_the_memory() -> None:
    budget = Budget(MB)
    lease = budget.lease()
    part = b"--%s\r\nX-Long: %s" % (BOUNDARY, b"y" * 4_000)
    with pytest.raises(ProblemError):
        asyncio.run(uploads.receive(request_of([part]), limits=Limits(), lease=lease))
    assert budget.held >= 4_000
    lease.release()
    assert budget.held == 0


@pytest.mark.parametrize("kind", ["application/octet-stream", "audio/mpeg", "video/mp4"])
def test_a_body_may_be_the_recording_itself(small: Running, kind: str) -> None:
    def send(data: bytes) -> httpx.Response:
        url = f"{small.url}/api/v1/classify"
        return httpx.post(url, content=data, headers={"Content-Type": kind})

    assert send(b"x" * MB).json() == {"bytes": MB}
    assert send(b"x" * (MB + 1)).status_code == 413


def request_of(pieces: list[bytes]) -> Request:
    """A request whose body arrives in pieces."""
    messages = iter(
        {"type": "http.request", "body": piece, "more_body": i < len(pieces) - 1}
        for i, piece in enumerate(pieces)
    )

    async def next_message() -> dict[str, object]:
        return next(messages)

    kind = b"multipart/form-data; boundary=" + BOUNDARY
    return Request({"type": "http", "headers": [(b"content-type", kind)]}, next_message)


def received(body: bytes, cuts: list[int]) -> Upload:
    """What `receive` makes of a body that arrives in pieces."""
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    budget = Budget(MB)
    upload = asyncio.run(uploads.receive(request_of(pieces), limits=Limits(), lease=budget.lease()))
    assert budget.held >= len(upload.data)
    return upload


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_an_upload_arrives_whole_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert received(form(data), cuts) == Upload("song.wav", data)


@settings(max_examples=100, deadline=None)
@given(
    noise=st.binary(max_size=60),
    at=st.integers(0, 400),
    cuts=st.lists(st.integers(0, 1_000), max_size=4),
)
def test_a_broken_upload_is_refused_or_read_but_never_crashes(
    noise: bytes, at: int, cuts: list[int]
) -> None:
    body = form(b"music " * 20)
    broken = body[:at] + noise + body[at + len(noise) :]
    try:
        upload = received(broken, cuts)
    except ProblemError as error:
        status = error.status
    else:
        status = 200
        assert upload.name.isprintable()
    assert status in (200, 400, 413, 422)
