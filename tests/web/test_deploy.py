"""The configurations of docs/deploy.md, tried with the real proxies where these are installed."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from web.serving import Running

DOCS = Path(__file__).parents[2] / "docs/deploy.md"
MB = 2**20


def block(kind: str) -> str:
    """A block of code of the document, by the word behind its fence."""
    found = re.search(rf"^```{kind}\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """A proxy; gives its address."""
    env = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/bin"}
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env)
    try:
        for _ in range(400):
            assert process.poll() is None, log.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def nginx(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("needs nginx, which is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    inside = block("nginx-server").replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    inside = inside.replace("client_header_timeout 10s", "client_header_timeout 1s")
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {temporary} {block('nginx-http')}\n"
        f"server {{ listen 127.0.0.1:{port};\n{inside} }} }}\n"
    )
    with running([program, "-p", str(folder), "-c", str(config)], port, folder) as url:
        yield url


@pytest.fixture(scope="module")
def caddy(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("needs Caddy, which is not installed")
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    text = block("caddy").replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    text = text.replace("music.example.org {", f"http://127.0.0.1:{port} {{")
    text = text.replace("{\n    servers", "{\n    admin off\n    servers", 1)
    text = text.replace("read_header 10s", "read_header 1s")
    config = folder / "Caddyfile"
    config.write_text(text)
    command = [program, "run", "--config", str(config), "--adapter", "caddyfile"]
    with running(command, port, folder) as url:
        yield url


@pytest.fixture(params=["nginx", "caddy"])
def proxy(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.mark.slow
def test_the_page_and_the_api_are_there_and_the_metrics_are_not(proxy: str, song: bytes) -> None:
    with httpx.Client(base_url=proxy, timeout=60) as client:
        assert client.get("/").status_code == 200
        files = {"file": ("song.wav", song)}
        assert client.post("/api/v1/classify", files=files).status_code == 200
        polished = client.post("/api/v1/polish?format=flac", files=files)
        assert polished.content.startswith(b"fLaC")
        both = client.post("/api/v1/listen", files=files)
        assert both.headers["content-type"].startswith("multipart/mixed")
        assert client.get("/metrics").status_code == 404
        page = {"Origin": proxy, "Sec-Fetch-Site": "same-origin"}
        assert client.post("/api/v1/classify", files=files, headers=page).status_code == 200
        old = {"Origin": proxy}
        assert client.post("/api/v1/classify", files=files, headers=old).status_code == 200


@pytest.mark.slow
def test_uploads_over_the_limit_are_refused_on_the_way(proxy: str) -> None:
    for size in (51 * MB, 70 * MB):  # by the app, with its reason; and by the proxy
        try:
            answer = httpx.post(
                f"{proxy}/api/v1/classify", files={"file": ("a.wav", bytes(size))}, timeout=60
            )
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            assert size > 55 * MB  # a proxy may close while the client still sends
            continue
        assert answer.status_code == 413


@pytest.mark.slow
def test_headers_that_never_end_are_cut_off(proxy: str) -> None:
    port = int(proxy.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        while connection.recv(1_000):
            pass


def test_nginx_bounds_what_one_visitor_takes(nginx: str) -> None:
    port = int(nginx.rpartition(":")[2])
    with ExitStack() as stack:
        for _ in range(20):  # requests that have begun, each on a connection of its own
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            stack.callback(connection.close)
            connection.sendall(
                b"POST /api/v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                b"Content-Type: audio/wav\r\nContent-Length: 1000\r\n\r\nabc"
            )
        while httpx.get(f"{nginx}/", timeout=30).status_code != 429:
            time.sleep(0.1)
    with httpx.Client(base_url=nginx, timeout=30) as client:
        while client.get("/").status_code == 429:
            time.sleep(0.1)
        statuses = [client.get("/api/v1/healthz").status_code for _ in range(300)]
    assert 429 in statuses


def test_the_unit_leaves_little_open(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze, which is not installed")
    unit = tmp_path / "genrescope.service"
    text = block("systemd")
    unit.write_text(text.replace("/opt/genrescope/bin/genrescope", "/bin/true"))
    for verb in (["verify"], ["security", "--offline=true", "--threshold=15", "--no-pager"]):
        done = subprocess.run(
            [program, *verb, str(unit)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "ignoring" not in done.stderr
    for setting in ("NoNewPrivileges=yes", "ProtectSystem=strict", "LimitNOFILE=", "MemoryMax="):
        assert setting in text
