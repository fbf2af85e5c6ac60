"""Songs come from disks, web servers and stores; what fails is told in a word."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fsspec
import pytest
from audio_makers import recording

from genrescope.audio.decode import decode
from genrescope.errors import FleetError
from genrescope.fleet import fetch as module
from genrescope.fleet.fetch import FetchError, fetch
from genrescope.fleet.plan import Song


class Web(BaseHTTPRequestHandler):
    """Answers by path; ``asked`` counts."""

    asked: list[str]
    song = b""
    sent = 0  # bytes of it

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path in ("/song", "/rangeless", "/grows"):
            self._send_song()
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path == "/busy" and len(self.asked) < 3:
            self.send_error(503)
        elif self.path in ("/missing", "/denied", "/down"):
            self.send_error({"/missing": 404, "/denied": 403, "/down": 500}[self.path])
        else:
            self.send_response(200)
            promised = 10 if self.path == "/cut" else 5
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(b"music")

    def _send_song(self) -> None:
        body, whole = self.song, len(self.song)
        span = self.headers.get("Range")
        if span is None or self.path == "/rangeless":
            self.send_response(200)
        else:
            start, end = map(int, span.removeprefix("bytes=").split("-"))
            whole += len(self.asked) if self.path == "/grows" else 0
            body = body[start : end + 1]
            self.send_response(206)
            span = f"bytes {start}-{start + len(body) - 1}/{whole}"
            self.send_header("Content-Range", span)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        type(self).sent += len(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    Web.asked, Web.sent = [], 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(timeout=300)


def _song(uri: str, size: int | None = None) -> Song:
    return Song("song", uri, size, None)


def _fetched(uri: str, size: int | None = None) -> str | bytes:
    return fetch(_song(uri, size), pause=lambda _: None).source


def test_a_file_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ü #1%.mp3"
    path.write_bytes(b"music")
    assert _fetched(path.as_uri(), 5) == str(path)
    assert _fetched(str(path)) == str(path)


def test_the_web_is_asked_again_while_it_is_busy(web: str) -> None:
    pauses: list[float] = []
    assert fetch(_song(f"{web}/busy", 5), pause=pauses.append).source == b"music"
    assert pauses == [1.0, 4.0]


@pytest.mark.parametrize(
    ("path", "code", "asked"),
    [
        ("/missing", "missing", 1),
        ("/denied", "denied", 1),
        ("/down", "unreachable", 4),
        ("/cut", "unreachable", 4),
    ],
)
def test_only_what_may_pass_is_tried_again(web: str, path: str, code: str, asked: int) -> None:
    with pytest.raises(FetchError) as caught:
        _fetched(f"{web}{path}")
    assert caught.value.code == code
    assert len(Web.asked) == asked


@pytest.mark.parametrize(
    "place",
    ["file:///etc/passwd", "ftp://example.org/a.mp3", "http://169.254.169.254/", "http://[::1]/"],
)
def test_a_redirection_does_not_lead_into_the_own_network(
    web: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _fetched(f"{web}/to//other", 5) == b"music"  # of the same server
    real = module._is_public
    monkeypatch.setattr(module, "_is_public", lambda host: host == "127.0.0.1" or real(host))
    with pytest.raises(FetchError, match=r"leads to another|answers 302"):
        _fetched(f"{web}/to/{place}")
    assert len(Web.asked) == 3  # it is not tried again


def test_public_is_what_has_public_addresses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = {"1.1.1.1": True, "10.0.0.7": False, "169.254.169.254": False, "::1": False}
    assert {host: module._is_public(host) for host in hosts} == hosts
    assert not module._is_public(None)
    both = [(0, 0, 0, "", (address, 0)) for address in ("1.1.1.1", "127.0.0.1")]
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: both)
    assert not module._is_public("mixed.example.org")


def test_a_store_is_read_by_fsspec() -> None:
    fsspec.filesystem("memory").pipe_file("/fetch-test/a.mp3", b"music")
    assert _fetched("memory://fetch-test/a.mp3", 5) == b"music"
    with pytest.raises(FetchError, match="there is no such file"):
        _fetched("memory://fetch-test/b.mp3")


@pytest.mark.parametrize(("size", "code"), [(4, "changed"), (None, "too large")])
def test_another_size_than_planned_or_than_fits(
    monkeypatch: pytest.MonkeyPatch, size: int | None, code: str
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 4)
    fsspec.filesystem("memory").pipe_file("/fetch-test/a.mp3", b"music")
    with pytest.raises(FetchError) as caught:
        _fetched("memory://fetch-test/a.mp3", size)
    assert caught.value.code == code


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        _fetched(str(tmp_path / "none.mp3"))
    assert caught.value.code == "missing"


def test_a_store_that_nobody_can_read_is_no_fault_of_the_song() -> None:
    with pytest.raises(FleetError, match="such a store cannot be read"):
        _fetched("odd://bucket/a.mp3")


EXCERPT_S = 6.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav16", "flac", "mp3"])
def test_no_more_of_a_long_song_is_sent_than_its_places_and_its_head(
    web: str, tmp_path: Path, kind: str
) -> None:
    Web.song = recording(kind, 20.0)
    song = _song(f"{web}/song", len(Web.song))
    fetched = fetch(song, excerpt_s=EXCERPT_S)
    assert isinstance(fetched.source, bytes)
    assert fetched.duration_s == pytest.approx(20, abs=0.1)
    assert Web.sent < len(Web.song) * EXCERPT_S / 20 + 3 * module._STRETCH
    assert decode(fetched.source).duration == pytest.approx(EXCERPT_S, abs=0.4)
    # Wherever a song lies, and whatever its server knows, its places are the same.
    path = tmp_path / "song"
    path.write_bytes(Web.song)
    fsspec.filesystem("memory").pipe_file("/fetch-test/song", Web.song)
    places = [str(path), path.as_uri(), f"{web}/rangeless", "memory://fetch-test/song"]
    assert [fetch(_song(place), excerpt_s=EXCERPT_S) for place in places] == [fetched] * 4
    assert Web.asked.count("/rangeless") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "seconds"), [("ogg", 20.0), ("m4a", 20.0), ("mp3", 5.0)])
def test_what_has_no_places_is_read_whole(web: str, kind: str, seconds: float) -> None:
    Web.song = recording(kind, seconds)
    whole = module.Fetched(Web.song)
    assert fetch(_song(f"{web}/song"), excerpt_s=EXCERPT_S) == whole
    assert fetch(_song(f"{web}/rangeless"), excerpt_s=EXCERPT_S) == whole
    assert Web.asked.count("/rangeless") == 1


def test_a_song_that_changes_between_two_ranges_is_none(web: str) -> None:
    Web.song = recording("wav16", 20.0)
    with pytest.raises(FetchError) as caught:
        fetch(_song(f"{web}/grows"), excerpt_s=EXCERPT_S)
    assert caught.value.code == "changed"
    with pytest.raises(FetchError) as caught:
        fetch(_song(f"{web}/song", 5), excerpt_s=EXCERPT_S)
    assert caught.value.code == "changed"


def test_a_range_that_fails_is_asked_for_again(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Web.song = recording("wav16", 20.0)
    read, failures = module._HttpRanges.read, [ConnectionError(), ConnectionError()]

    def flaky(self: module._HttpRanges, start: int, end: int) -> tuple[bytes, int]:
        if start and failures:
            raise failures.pop()
        return read(self, start, end)

    monkeypatch.setattr(module._HttpRanges, "read", flaky)
    pauses: list[float] = []
    fetched = fetch(_song(f"{web}/song"), excerpt_s=EXCERPT_S, pause=pauses.append)
    assert fetched.duration_s == 20
    assert pauses == [1.0, 4.0]
