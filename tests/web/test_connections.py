"""What a connection may do before there is a request."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from web.serving import BOUNDARY, Running, StubEngine, form, head, serve, talk, trickle

from genrescope.web.app import create_app
from genrescope.web.connections import connections_within
from genrescope.web.limits import Limits
from genrescope.web.middleware.headers import SECURITY_HEADERS

LIMITS = Limits(connections=8, header_s=0.3, header_bytes=4_000)


@pytest.fixture(scope="module")
def strict() -> Iterator[Running]:
    with serve(create_app(engine=StubEngine()), LIMITS) as running:  # type: ignore[arg-type]
        yield running


def exchange(port: int, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
        return answer


def asks(port: int, *headers: bytes) -> bytes:
    host = b"Host: 127.0.0.1:%d" % port
    return b"\r\n".join([b"GET /api/v1/healthz HTTP/1.1", host, *headers, b"", b""])


@pytest.mark.parametrize(
    "request_",
    [
        b"this is no HTTP\r\n\r\n",
        b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: zz\r\n\r\n",
        b"POST /api/v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_is_refused_as_everything_else_is(
    strict: Running, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    lines, _, body = exchange(strict.port, request_).partition(b"\r\n\r\n")
    first, *rest = lines.split(b"\r\n")
    headers = dict(line.decode().split(": ", 1) for line in rest)
    assert first == b"HTTP/1.1 400 Bad Request"
    assert json.loads(body)["error"]["code"] == "malformed_request"
    assert int(headers["content-length"]) == len(body)
    for name, value in SECURITY_HEADERS.items():
        assert headers[name.lower()] == value
    assert "Traceback" not in caplog.text


def test_no_answer_names_the_software(strict: Running) -> None:
    assert "server" not in httpx.get(f"{strict.url}/").headers
    assert b"server:" not in exchange(strict.port, b"this is no HTTP\r\n\r\n").lower()


@pytest.mark.slow
def test_headers_that_do_not_arrive_in_time_end_the_connection(strict: Running) -> None:
    assert exchange(strict.port) == b""
    assert exchange(strict.port, b"\r\n").startswith(b"HTTP/1.1 408 ")
    assert exchange(strict.port, asks(strict.port)[:-4]).startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
def test_headers_that_come_one_by_one_end_it_too(strict: Running) -> None:
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(asks(strict.port)[:-2])
        assert trickle(connection, b"X: y\r\n").startswith(b"HTTP/1.1 408 ")


def test_headers_without_end_are_refused(strict: Running) -> None:
    long = b"X-Long: " + b"x" * 5_000
    assert b" 431 " in exchange(strict.port, asks(strict.port, long)[:-4])
    many = [b"X-%d: y" % i for i in range(800)]
    assert exchange(strict.port, asks(strict.port, *many)).startswith(b"HTTP/1.1 400 ")
    assert b" 200 OK" in talk(strict.port, asks(strict.port, b"X: " + b"x" * 3_000))


def test_trailers_without_end_are_refused(strict: Running) -> None:
    body = form(b"abc")
    chunked = b"%x\r\n%s\r\n0\r\n" % (len(body), body)
    trailers = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(100))
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(head(strict.port, length=None) + chunked + trailers)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert b" 400 Bad Request" in answer


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of so many bytes."""
    pieces = (body[i : i + size] for i in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def test_a_body_in_countless_pieces_is_refused(strict: Running) -> None:
    start = head(strict.port, length=None)
    few = LIMITS.small_pieces - 500
    assert b" 200 OK" in talk(strict.port, start, chunked(form(b"x" * few), 1))
    assert b" 200 OK" in talk(strict.port, start, chunked(form(b"x" * 1_000_000), 100))
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(start + chunked(form(b"x" * (few + 1_000)), 1))
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_requests_far_ahead_of_their_answers_end_the_connection(strict: Running) -> None:
    few = asks(strict.port) * (LIMITS.pipelined // 2)
    last = asks(strict.port, b"Connection: close")
    assert exchange(strict.port, few + last).count(b"HTTP/1.1 200 OK") == LIMITS.pipelined // 2 + 1
    many = exchange(strict.port, asks(strict.port) * 1_000)  # until it is closed
    assert many.count(b"HTTP/1.1 ") <= LIMITS.pipelined + 2
    assert b" 200 OK" in talk(strict.port, asks(strict.port))


@pytest.mark.parametrize(
    "coding", [b"gzip, chunked", b"xchunked", b"identity", b"chunked, chunked"]
)
def test_a_coding_that_is_not_read_is_refused(strict: Running, coding: bytes) -> None:
    start = head(strict.port, length=None).replace(b": chunked", b": " + coding)
    answer = exchange(strict.port, start + chunked(form(b"abc"), 100))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: %d",
        b"Content-Length: %d\r\nContent-Length: 5",
        b"Content-Length: %d, 5",
        b"Content-Length: +%d",
        b"Content-Length: -%d",
        b"Content-Length : %d",
        b"Content-Length: 0x%d",
        b"X: %d\nContent-Length: 9",
        b"Transfer-Encoding: chunked\r\nX: %d\r\nTransfer-Encoding: chunked",
        b"X: %d\r\nTransfer-Encoding:\r\n chunked",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(strict: Running, framing: bytes) -> None:
    body = form(b"abc")
    ask, _, _ = head(strict.port, length=0).partition(b"Content-Length: 0")
    kind = b"Content-Type: multipart/form-data; boundary=%s\r\n\r\n" % BOUNDARY
    hidden = asks(strict.port, b"Connection: close")
    answer = exchange(strict.port, ask + framing % len(body) + b"\r\n" + kind + body + hidden)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_answer_that_has_begun_is_not_followed_by_a_refusal(strict: Running) -> None:
    start = head(strict.port, length=None).replace(b"multipart/form-data", b"text/plain")
    with socket.create_connection(("127.0.0.1", strict.port), timeout=20) as connection:
        connection.sendall(start + b"1\r\nx\r\n")
        answer = connection.recv(65_536)
        while b'"}}' not in answer:
            answer += connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 415 ")
        with suppress(OSError):  # it may be closed already
            connection.sendall(b"1\r\nx\r\n" * 2 * LIMITS.small_pieces)
        with suppress(ConnectionResetError):
            assert connection.recv(65_536) == b""


@pytest.mark.slow
def test_a_connection_may_ask_again_and_again(strict: Running) -> None:
    with httpx.Client(base_url=strict.url) as client:
        for _ in range(20):
            assert client.get("/api/v1/healthz").status_code == 200
            files = {"file": ("a.wav", b"x" * 10_000)}
            assert client.post("/api/v1/classify", files=files).json() == {"bytes": 10_000}
        time.sleep(2 * LIMITS.header_s)  # it is idle, not late
        assert client.get("/api/v1/healthz").status_code == 200


@pytest.mark.slow
def test_a_connection_that_asks_no_more_is_closed() -> None:
    app = create_app(engine=StubEngine())  # type: ignore[arg-type]
    with serve(app, Limits(keep_alive_s=1)) as running:
        answer = exchange(running.port, asks(running.port))  # waits for the server to close
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" not in answer.lower()


@pytest.mark.slow
def test_idle_connections_make_room_for_new_ones() -> None:
    limits = Limits(connections=8)
    app = create_app(engine=StubEngine())  # type: ignore[arg-type]
    with serve(app, limits) as running, ExitStack() as stack:
        idle = [socket.create_connection(("127.0.0.1", running.port), 20) for _ in range(40)]
        for connection in idle:
            stack.callback(connection.close)
        for _ in range(3):
            assert httpx.get(f"{running.url}/api/v1/healthz", timeout=20).status_code == 200


@pytest.mark.parametrize(
    ("files", "connections"), [(4_096, 1_000), (1_320, 1_000), (1_024, 704), (256, 64), (64, 16)]
)
def test_connections_leave_room_for_other_files(files: int, connections: int) -> None:
    assert connections_within(files, 1_000) == connections


@pytest.mark.slow
def test_where_none_is_idle_the_new_one_is_refused() -> None:
    app = create_app(engine=StubEngine())  # type: ignore[arg-type]
    with serve(app, Limits(connections=3)) as running, ExitStack() as stack:
        for _ in range(3):
            connection = socket.create_connection(("127.0.0.1", running.port), timeout=20)
            stack.callback(connection.close)
            ask = head(running.port, length=1_000)[:-2] + b"Expect: 100-continue\r\n\r\n"
            connection.sendall(ask)
            assert b" 100 " in connection.recv(100)  # so it is no longer idle
        answer = exchange(running.port)
        assert b" 503 " in answer
        assert b"retry-after: 5" in answer.lower()


def test_a_body_of_tiny_chunks_is_read(strict: Running) -> None:
    body = form(b"music" * 200)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    answer = talk(strict.port, head(strict.port, length=None), chunks, b"0\r\n\r\n")
    assert answer.endswith(b'{"bytes": 1000}')


def test_an_offer_of_another_protocol_is_passed_over(strict: Running) -> None:
    body = form(b"\r\nUpgrade: kept\r\n")
    offer = b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAAB"
    start = head(strict.port, length=len(body)).replace(b"\r\n\r\n", offer + b"\r\n\r\n")
    assert talk(strict.port, start, body).endswith(b'{"bytes": 17}')
    assert talk(strict.port, start + body).endswith(b'{"bytes": 17}')


def test_the_rest_of_a_refused_upload_is_no_request(strict: Running) -> None:
    smuggled = asks(strict.port)
    kind = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
    start = head(strict.port, length=len(smuggled), path="/nothing")
    answer = exchange(strict.port, start.replace(kind, b"X: y"), smuggled)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 404 ")
