"""Fetching one file, from a server of the test's own that misbehaves as real ones do."""

from __future__ import annotations

import errno
import hashlib
import re
import ssl
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import FileIO
from pathlib import Path
from threading import Thread

import pytest

from genrescope.data import download as module
from genrescope.data.download import download, part_of
from genrescope.errors import DatasetError

CONTENT = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at /file; can drop connections, fail, and lack range support."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.drop_after: list[int] = []  # for each request to come: bytes sent before the drop
        self.errors: list[int] = []  # for each request to come: a status instead of the file
        self.ranges = True
        self.length: str | None = None  # what it says of the file's length, where that is a lie
        self.more = b""  # what it sends behind the file
        self.asked: list[str | None] = []  # the Range header of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != "/file":
            return self.send_error(404)
        if self.server.errors:
            return self.send_error(self.server.errors.pop(0))
        start = 0
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(CONTENT):
                return self.send_error(416)
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", self.server.length or str(len(body)))
        self.end_headers()
        if self.server.drop_after:
            body = body[: self.server.drop_after.pop(0)]
        self.wfile.write(body + self.server.more)
        return None

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


def get(server: Server, target: Path, **options: object) -> Path:
    return download(
        server.url, target, **{"size": len(CONTENT), "md5": MD5, "pause_s": 0.0} | options
    )


def test_file_arrives_whole_with_progress(server: Server, tmp_path: Path) -> None:
    seen = []
    path = get(server, tmp_path / "new" / "file", progress=lambda *step: seen.append(step[:2]))
    assert path.read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path / "file")
    get(server, tmp_path / "file")
    assert len(server.asked) == 1


def test_dropped_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    server.drop_after = [300_000, 500_000]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=800000-"]


@pytest.mark.parametrize(
    "error", [ssl.SSLError("record layer failure"), OSError(errno.EHOSTUNREACH, "No route to host")]
)
def test_a_connection_that_fails_in_any_way_is_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    urlopen, failures = urllib.request.urlopen, [error]

    def fails_once(*arguments: object, **options: object) -> object:
        if failures:
            raise failures.pop()
        return urlopen(*arguments, **options)

    monkeypatch.setattr(urllib.request, "urlopen", fails_once)
    got = download(server.url, tmp_path / "file", md5=MD5, pause_s=0.0)
    assert got.read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_said(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file", server.url).mkdir()
    with pytest.raises(DatasetError, match=r"file\.[0-9a-f]{16}\.part: cannot be written"):
        download(server.url, tmp_path / "file", pause_s=0.0)
    (tmp_path / "blocked").touch()
    with pytest.raises(DatasetError, match="blocked: cannot be written"):
        download(server.url, tmp_path / "blocked" / "file")


def test_interrupted_download_goes_on_in_the_next_call(server: Server, tmp_path: Path) -> None:
    def stop(done: float, total: float | None, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path / "file", progress=stop)
    kept = part_of(tmp_path / "file", server.url).stat().st_size
    assert 0 < kept < len(CONTENT)
    assert not (tmp_path / "file").exists()
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={kept}-"]


def test_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.drop_after = [300_000]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_complete_part_of_unknown_size_is_taken(server: Server, tmp_path: Path) -> None:
    part_of(tmp_path / "file", server.url).write_bytes(CONTENT)
    assert get(server, tmp_path / "file", size=None).read_bytes() == CONTENT


def test_passing_trouble_of_the_server_is_waited_out(server: Server, tmp_path: Path) -> None:
    server.errors = [503, 429]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_lasting_trouble_gives_up_and_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.drop_after = [300_000]
    server.errors = []
    with pytest.raises(DatasetError, match="What came is kept; start again"):
        get(
            server,
            tmp_path / "file",
            tries=2,
            progress=lambda *step: server.errors.extend([503, 503, 503]),
        )
    assert part_of(tmp_path / "file", server.url).stat().st_size == 300_000


def test_missing_file_names_the_remedy(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"404.*--url"):
        download(server.url + "s", tmp_path / "file")
    assert len(server.asked) == 1


@pytest.mark.parametrize("wrong", [{"md5": "0" * 32}, {"size": len(CONTENT) - 1}])
def test_wrong_file_is_deleted(server: Server, tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(DatasetError, match="not the expected file"):
        get(server, tmp_path / "file", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_no_server_at_all(tmp_path: Path) -> None:
    with Server() as gone:
        url = gone.url
    with pytest.raises(DatasetError, match=r"connection fails .*\. Start again, or give another"):
        download(url, tmp_path / "file", tries=2, pause_s=0.0)


@pytest.mark.parametrize("url", ["not an address", "http://[broken"])
def test_no_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not an address"):
        download(url, tmp_path / "file")


@pytest.mark.skipif(sys.platform == "win32", reason="there links need rights")
@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("begun", [b"", CONTENT[:1000]])
def test_a_link_in_its_place_is_not_written_through(
    server: Server, tmp_path: Path, link: str, begun: bytes
) -> None:
    diary = tmp_path / "diary"
    diary.write_bytes(begun)
    getattr(part_of(tmp_path / "file", server.url), link)(diary)
    with pytest.raises(DatasetError, match=r"cannot be written|no file of its own"):
        get(server, tmp_path / "file", pause_s=0.0)
    assert diary.read_bytes() == begun


def test_a_users_own_file_is_not_taken_for_what_came(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"mine")
    get(server, tmp_path / "file")
    assert (tmp_path / "file.part").read_bytes() == b"mine"


def test_no_more_is_written_than_the_known_size(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.length, server.more = str(4 * len(CONTENT)), CONTENT * 3
    written: list[int] = []
    write = module._write
    monkeypatch.setattr(
        module,
        "_write",
        lambda file, block, *rest: (written.append(len(block)), write(file, block, *rest)),
    )
    with pytest.raises(DatasetError, match="not the expected file"):
        get(server, tmp_path / "file")
    assert sum(written) <= len(CONTENT)
    assert list(tmp_path.iterdir()) == []


def test_a_length_that_is_no_number_is_passed_over(server: Server, tmp_path: Path) -> None:
    server.length = "zz"
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_said_in_words(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_opened", lambda *_, **__: FileIO("/dev/full", "wb"))
    with pytest.raises(DatasetError, match=r"disk is full.*more bytes are needed"):
        get(server, tmp_path / "file")
