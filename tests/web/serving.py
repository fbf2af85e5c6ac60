"""What the web tests share: a server in a thread, a stand-in engine, a little music."""

from __future__ import annotations

import io
import math
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx
import numpy as np
import soundfile as sf
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray

from genrescope.web.connections import server_config
from genrescope.web.limits import Limits
from genrescope.web.uploads import Upload


@dataclass
class Running:
    """A server that answers at ``url``; ``stop`` asks it to end without waiting."""

    url: str
    port: int
    stop: Callable[[], None]
    thread: threading.Thread


@contextmanager
def serve(app: FastAPI, limits: Limits | None = None) -> Iterator[Running]:
    """Serves ``app`` on a free port of this machine; ``limits`` are those of connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = server_config(app, limits or Limits(), log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())

    def stop() -> None:
        server.should_exit = True

    try:
        yield Running(f"http://127.0.0.1:{port}", port, stop, thread)
    finally:
        stop()
        thread.join(60)
        assert not thread.is_alive()
        listener.close()


@dataclass
class StubEngine:
    """An engine that answers as told; ``seen`` holds what it was given."""

    answer: Callable[[Upload], bytes] = lambda upload: b'{"bytes": %d}' % len(upload.data)
    name: str = "stub"
    seen: list[Upload] = field(default_factory=list)

    def classify(
        self,
        upload: Upload,
        *,
        deadline: float = math.inf,
        spectrogram: bool = True,
        quick: bool = False,
    ) -> bytes:
        self.seen.append(upload)
        return self.answer(upload)

    def start(self) -> None:
        pass

    def warm_up(self, deadline: float) -> None:
        pass

    def close(self) -> None:
        pass

    def describe(self, *, tracks: bool = False) -> dict[str, Any]:
        return {"name": self.name}


def music(seconds: float, *, sr: int = 22_050) -> NDArray[np.float32]:
    """float32 (n_samples, 2): four chords in turn, plucked twice a second, over a bass."""
    t = np.arange(round(seconds * sr)) / sr
    out = np.zeros((len(t), 2), np.float32)
    chords = ((220, 262, 330), (175, 220, 262), (131, 165, 196), (196, 247, 294))
    for start in np.arange(0, seconds, 0.5):
        since = t - start
        struck = np.where(since >= 0, np.exp(-4 * np.maximum(since, 0)), 0)
        chord = chords[int(start / 2) % len(chords)]
        for k, hz in enumerate((chord[0] / 2, *chord)):
            tone = struck * (np.sin(2 * np.pi * hz * t) + 0.3 * np.sin(4 * np.pi * hz * t))
            out += np.outer(tone, (0.5 + 0.1 * k, 0.8 - 0.1 * k)).astype(np.float32)
    return (0.5 * out / np.abs(out).max()).astype(np.float32)


def wav(samples: NDArray[np.float32], *, sr: int = 22_050) -> bytes:
    """The bytes of a 16-bit wav file."""
    file = io.BytesIO()
    sf.write(file, samples, sr, format="WAV", subtype="PCM_16")
    return file.getvalue()


MB = 2**20
BOUNDARY = b"----a-boundary"


def wait_until(holds: Callable[[], bool], *, most_s: float = 60) -> None:
    """Until something holds; an AssertionError where it does not in time."""
    deadline = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {most_s:g} s"
        time.sleep(0.01)


def trickle(connection: socket.socket, piece: bytes) -> bytes:
    """Send a piece each 50 ms until there is an answer: its beginning."""
    connection.settimeout(0.05)
    answer = b""

    def answered() -> bool:
        nonlocal answer
        connection.sendall(piece)
        with suppress(TimeoutError):
            answer = connection.recv(1_000)
        return bool(answer)

    wait_until(answered)
    return answer


class Gatekeeper:
    """Work that waits until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, upload: Upload) -> bytes:
        self.started.release()
        self.go.wait(20)
        return b"{}"


def form(data: bytes, *, name: str = "song.wav", field_name: str = "file") -> bytes:
    """A multipart body with one file."""
    return (
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n'
        b"Content-Type: audio/wav\r\n\r\n%s\r\n--%s--\r\n"
    ) % (BOUNDARY, field_name.encode(), name.encode(), data, BOUNDARY)


def head(port: int, *, length: int | None, path: str = "/api/v1/classify") -> bytes:
    """The head of an upload as it goes over the wire; no length means chunks."""
    size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{size}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    ).encode()


def talk(port: int, *parts: bytes) -> bytes:
    """Sends ``parts`` over one connection, leaves it open, and returns the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while not (size := re.search(rb"content-length: (\d+).*?\r\n\r\n", answer, re.S)) or (
            len(answer) < size.end() + int(size[1])
        ):
            received = connection.recv(65_536)
            assert received, f"the connection closed after {answer!r}"
            answer += received
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def post(url: str, data: bytes = b"abc") -> httpx.Response:
    return httpx.post(f"{url}/api/v1/classify", files={"file": ("a.wav", data)}, timeout=30)


def metrics(running: Running) -> str:
    return httpx.get(f"{running.url}/metrics").text


Part = tuple[dict[str, str], bytes]


def parts(answer: httpx.Response) -> list[Part]:
    """The parts of a multipart answer: headers and body of each."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + answer.content)
    found = []
    for part in message.iter_parts():  # type: ignore[attr-defined]
        body = part.get_payload(decode=True)
        length = int(part["Content-Length"])
        found.append(({name.lower(): value for name, value in part.items()}, body[:length]))
    return found
