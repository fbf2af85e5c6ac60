"""Worst cases, many at once: memory stays bounded, a good file is answered, health checks too.

The attackers have a process of their own (``python -m soak.siege URL N SECONDS``), so
that what they do is not counted as the time of an answer.
"""

from __future__ import annotations

import asyncio
import io
import os
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import soundfile
from odd_makers import alac_with_frames_of, with_packets

from genrescope.web.limits import Limits

BOUNDARY = b"----a-boundary"
_PIECE = 2**18
MEMORY_MB = 1_024
"""What a server under siege is given, its processes included."""
LIMITS = Limits(memory_bytes=MEMORY_MB * 2**20)
PATH = "/api/v1/classify"

Attack = Callable[[str, int], Awaitable[None]]
RECORDINGS: list[Callable[[], bytes]] = []
"""What makes the recordings that attackers send."""


@dataclass
class Siege:
    """What a siege met.

    Attributes:
        health_s: how long each health check took.
        good_s: how long each good recording took.
        statuses: answers to the good ones, and to the attackers' requests, by status.
        failures: what went wrong, in words.
    """

    health_s: list[float] = field(default_factory=list)
    good_s: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def besiege(url: str, good: bytes, *, n_attackers: int = 64, seconds: float = 20) -> Siege:
    """Attack for so long, in every way at once, while good clients ask."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-m", "soak.siege", url, str(n_attackers), str(seconds)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as attackers:
        assert attackers.stdout is not None
        try:
            attackers.stdout.readline()  # they have made what they will send
            siege = asyncio.run(_ask(url, good, seconds))
            attackers.wait(60)
        finally:
            attackers.kill()
    return siege


async def attack(url: str, n_attackers: int, seconds: float) -> None:
    """Attack for so long, in every way at once."""
    end = time.monotonic() + seconds
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    attacks = list(ATTACKS.values())

    async def attacker(number: int) -> None:
        while time.monotonic() < end:
            try:
                async with asyncio.timeout(max(0.1, end - time.monotonic())):
                    await attacks[number % len(attacks)](host, port)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)

    await asyncio.gather(*(attacker(n) for n in range(n_attackers)))


async def _ask(url: str, good: bytes, seconds: float) -> Siege:
    siege = Siege()
    end = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def health() -> None:
            while time.monotonic() < end:
                started = time.monotonic()
                answer = await client.get("/api/v1/healthz")
                siege.health_s.append(time.monotonic() - started)
                if answer.status_code != 200:
                    siege.failures.append(f"health: {answer.status_code}")
                await asyncio.sleep(0.1)

        async def listener() -> None:
            while time.monotonic() < end:
                started = time.monotonic()
                answer = await client.post(PATH, files={"file": ("song.wav", good)})
                siege.statuses[f"good {answer.status_code}"] += 1
                if answer.status_code == 200:
                    siege.good_s.append(time.monotonic() - started)
                elif answer.status_code != 503:
                    siege.failures.append(f"good recording: {answer.status_code} {answer.text}")
                await asyncio.sleep(0.5)

        await asyncio.gather(health(), listener())
    return siege


def _head(port: int, kind: str, path: str = PATH) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{kind}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n\r\n"
    ).encode()


async def _send(host: str, port: int, *pieces: bytes, pause_s: float = 0) -> None:
    """Send, then read until the server closes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        while await reader.read(65_536):
            pass
    finally:
        writer.close()


async def _empty_parts(host: str, port: int) -> None:
    part = b"--%s\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n" % BOUNDARY
    body = part * (2**21 // len(part))
    await _send(host, port, _head(port, f"Content-Length: {len(body)}"), body)


async def _tiny_chunks(host: str, port: int) -> None:
    start = b"--%s\r\nContent-Disposition: form-data; name=file\r\n\r\n" % BOUNDARY
    chunks = b"%x\r\n%s\r\n" % (len(start), start) + b"1\r\nx\r\n" * 2**18
    await _send(host, port, _head(port, "Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n")


async def _long_part_headers(host: str, port: int) -> None:
    body = b"--%s\r\n" % BOUNDARY + b"X: y\r\n" * 2**18
    await _send(host, port, _head(port, f"Content-Length: {len(body)}"), body)


async def _trickle(host: str, port: int) -> None:
    start = b"--%s\r\nContent-Disposition: form-data; name=file\r\n\r\n" % BOUNDARY
    head = _head(port, "Content-Length: 50000000")
    await _send(host, port, head + start + bytes(2**20), *[b"x"] * 600, pause_s=0.05)


async def _slow_head(host: str, port: int) -> None:
    await _send(host, port, b"GET / HTTP/1.1\r\n", *[b"X: y\r\n"] * 600, pause_s=0.05)


def _sending(make: Callable[[], bytes], path: str = PATH) -> Attack:
    """Upload a recording, which is made once."""

    async def attack(host: str, port: int) -> None:
        await _upload(host, port, _recording(make), path)

    RECORDINGS.append(make)
    return attack


@cache
def _recording(make: Callable[[], bytes]) -> bytes:
    return make()


def _silence() -> bytes:
    """Silence that packs a thousand to one: a few kB for the longest that is allowed."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros((8_000 * 899, 1), np.int16), 8_000, format="FLAC")
    return file.getvalue()


def _broken() -> bytes:
    """A wav that claims far more samples than it has."""
    head = b"RIFF" + struct.pack("<I", 2**31) + b"WAVEfmt "
    head += struct.pack("<IHHIIHH", 16, 1, 7, 768_000, 2**30, 14, 16) + b"data"
    return head + struct.pack("<I", 2**31 - 64) + bytes(2**20)


def _huge_block() -> bytes:
    """As large as an upload may be, all in one packet, which a reader has to hold whole."""
    return with_packets("pcm_s16le", "matroska", [bytes(48_000_000)])


def _broken_packets() -> bytes:
    return with_packets("aac", "matroska", [b"\xff" * 8] * 500_000)


def _noise() -> bytes:
    """Noise, nearly as long as what is explained within `LIMITS`, at a low rate."""
    file = io.BytesIO()
    n_samples = int(8_000 * (LIMITS.explain_audio_s - 1))
    noise = np.random.default_rng(0).normal(0, 0.1, n_samples)
    soundfile.write(file, noise, 8_000, format="OGG", subtype="VORBIS")
    return file.getvalue()


def _music() -> bytes:
    """Nearly as much as is polished within `LIMITS`, at the rate that takes the most memory."""
    file = io.BytesIO()
    n_samples = int(48_000 * (LIMITS.polish_audio_s - 1))
    noise = np.random.default_rng(0).normal(0, 0.1, (n_samples, 2))
    soundfile.write(file, noise, 48_000, format="FLAC")
    return file.getvalue()


def _dense() -> bytes:
    """Short, but with as many samples a second as are read: seconds of a processor."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros((655_350 * 20, 8), np.int16), 655_350, format="FLAC")
    return file.getvalue()


async def _upload(host: str, port: int, data: bytes, path: str) -> None:
    start = b"--%s\r\nContent-Disposition: form-data; name=file\r\n\r\n" % BOUNDARY
    end = b"\r\n--%s--\r\n" % BOUNDARY
    length = len(start) + len(data) + len(end)
    head = _head(port, f"Content-Length: {length}\r\nConnection: close", path)
    pieces = [data[i : i + _PIECE] for i in range(0, len(data), _PIECE)]
    await _send(host, port, head + start, *pieces, end)


ATTACKS: dict[str, Attack] = {
    "many empty parts": _empty_parts,
    "chunks of a byte": _tiny_chunks,
    "endless part headers": _long_part_headers,
    "uploads that trickle": _trickle,
    "headers that trickle": _slow_head,
    "a quarter of an hour in a few kB": _sending(_silence),
    "millions of samples a second": _sending(_dense),
    "explanations": _sending(_noise, "/api/v1/explain?sound=all"),
    "a quarter of an hour to polish": _sending(_silence, "/api/v1/polish"),
    "the longest that is polished": _sending(_music, "/api/v1/polish?format=opus"),
    "claims of a broken header": _sending(_broken),
    "frames of millions of samples": _sending(lambda: alac_with_frames_of(1 << 24)),
    "48 MB in one packet": _sending(_huge_block),
    "half a million broken packets": _sending(_broken_packets),
}


if __name__ == "__main__":
    for _make in RECORDINGS:  # before the clock runs
        _recording(_make)
    print("ready", flush=True)
    asyncio.run(attack(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
