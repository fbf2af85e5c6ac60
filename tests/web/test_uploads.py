"""What is taken in, and what is refused: too long, too slow, cut anywhere, broken."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from web.serving import (
    BOUNDARY,
    MB,
    Running,
    StubEngine,
    form,
    head,
    post,
    serve,
    status,
    talk,
    trickle,
)

from genrescope.web import uploads
from genrescope.web.app import create_app
from genrescope.web.limits import Budget, Limits
from genrescope.web.problems import ProblemError
from genrescope.web.uploads import Upload


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


@pytest.mark.slow
def test_a_client_that_stops_sending_is_let_go(small: Running) -> None:
    answer = talk(small.port, head(small.port, length=1_000), form(b"abc")[:50])
    assert status(answer) == 408


def test_a_client_that_leaves_does_no_harm(small: Running) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", small.port), timeout=20) as connection:
            connection.sendall(head(small.port, length=1_000) + form(b"abc")[:50])
    assert post(small.url).status_code == 200
    metrics = httpx.get(f"{small.url}/metrics").text
    assert "genrescope_held_bytes 0\n" in metrics


def test_a_form_is_a_recording_and_little_else(small: Running) -> None:
    part = b"--%s\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" % BOUNDARY
    body = part * 5_000 + form(b"abc")
    answer = talk(small.port, head(small.port, length=len(body)), body)
    assert status(answer) == 413
    assert b"form_too_large" in answer
    body = part * 15 + form(b"abc")
    assert status(talk(small.port, head(small.port, length=len(body)), body)) == 200


@pytest.mark.slow
def test_an_upload_that_trickles_is_let_go() -> None:
    limits = Limits(idle_s=0.2, upload_rate=10_000)
    with serve(create_app(engine=StubEngine(), limits=limits)) as running:  # type: ignore[arg-type]
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(head(running.port, length=100_000) + form(b"abc")[:50])
            answer = trickle(connection, b"x")
        assert status(answer) == 408


@pytest.mark.slow
def test_an_upload_that_takes_too_long_in_all_is_let_go() -> None:
    limits = Limits(upload_s=0.3, idle_s=20, upload_rate=0)
    with serve(create_app(engine=StubEngine(), limits=limits)) as running:  # type: ignore[arg-type]
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
            connection.sendall(head(running.port, length=100_000) + form(b"abc")[:50])
            answer = connection.recv(100)
        assert status(answer) == 408


@pytest.mark.slow
@pytest.mark.parametrize("limits", [Limits(form_bytes=200), Limits(form_parts=2)])
def test_what_stands_beside_the_recording_is_bounded(limits: Limits) -> None:
    part = b"--%s\r\nContent-Disposition: form-data; name=x\r\n\r\n%s\r\n"
    with serve(create_app(engine=StubEngine(), limits=limits)) as running:  # type: ignore[arg-type]
        for beside, wanted in ((b"", 200), (part % (BOUNDARY, b"y" * 200) * 2, 413)):
            body = beside + form(b"abc")
            answer = talk(running.port, head(running.port, length=len(body)), body)
            assert status(answer) == wanted


@pytest.mark.slow
def test_a_body_of_json_is_bounded() -> None:
    app = create_app(engine=StubEngine(), limits=Limits(json_bytes=1_000))  # type: ignore[arg-type]
    with serve(app) as running:
        for size, wanted in ((900, 422), (1_100, 413)):
            body = b'{"embedding": [' + b" " * size + b"]}"
            headers = {"Content-Type": "application/json"}
            url = f"{running.url}/api/v1/similar"
            answer = httpx.post(url, content=body, headers=headers, timeout=20)
            assert answer.status_code == wanted


def test_headers_of_parts_count_against_the_memory() -> None:
    budget = Budget(MB)
    lease = budget.lease()
    part = b"--%s\r\nX-Long: %s" % (BOUNDARY, b"y" * 4_000)
    with pytest.raises(ProblemError):
        asyncio.run(uploads.receive(request_of([part]), limits=Limits(), lease=lease))
    assert budget.held >= 4_000
    lease.release()
    assert budget.held == 0


@pytest.mark.parametrize(
    "kind",
    [
        "application/octet-stream",
        "audio/mpeg",
        "video/mp4",
        "application/x-www-form-urlencoded",  # curl --data-binary
        "",
    ],
)
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


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_an_upload_arrives_whole_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    assert received(form(data), cuts) == Upload("song.wav", data)


@pytest.mark.slow
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


@pytest.mark.slow
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
