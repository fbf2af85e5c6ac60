"""The verb `serve`: it listens, or says why it cannot."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from audio_makers import chord, encoded
from click.testing import CliRunner

from genrescope import cli


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="stops the server by a POSIX signal")
def test_serve_prints_its_address_answers_and_stops_on_ctrl_c(tiny_bundle: Path) -> None:
    command = [sys.executable, "-u", "-m", "genrescope", "serve", "--port", "0"]
    server = subprocess.Popen(
        [
            *command,
            "--bundle",
            str(tiny_bundle),
            "--max-upload-mb",
            "3",
            "--workers",
            "1",
            "--allow-origin",
            "https://friend.example",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert address is not None
        # The socket listens from the start: a request waits until the app is ready.
        with urllib.request.urlopen(f"{address[0]}/api/v1/healthz", timeout=60) as response:
            assert response.status == 200
        with urllib.request.urlopen(f"{address[0]}/api/v1/bundle", timeout=60) as response:
            limits = json.load(response)["limits"]
            assert limits == {"upload_bytes": 3 * 2**20, "audio_s": 900}
            assert "Server" not in response.headers
        friend = urllib.request.Request(
            f"{address[0]}/api/v1/healthz", headers={"Origin": "https://friend.example"}
        )
        with urllib.request.urlopen(friend, timeout=60) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "https://friend.example"
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait(60)
    assert server.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="stops the server by a POSIX signal")
def test_what_is_sent_is_written_nowhere(tiny_bundle: Path, tmp_path: Path) -> None:
    """Home, temporary files and the folder it runs in are one, and stay empty."""
    paths = [os.path.abspath(path) for path in sys.path if path]  # noqa: PTH100
    env = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PATH": os.environ["PATH"]}
    env |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-u", "-m", "genrescope", "serve", "--port", "0", "--workers", "1"]
    server = subprocess.Popen(
        [*command, "--bundle", str(tiny_bundle)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=env,
    )
    try:
        assert server.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert address is not None
        song = encoded("ogg", chord(3.0, 44_100, n_channels=2), 44_100)
        for verb in ("classify", "polish", "similar"):
            files = {"file": ("../../secret.ogg", song)}
            answer = httpx.post(f"{address[0]}/api/v1/{verb}", files=files, timeout=60)
            assert answer.status_code == 200
            assert list(tmp_path.rglob("*")) == []
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait(60)
    assert "secret" not in errors
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits open files the POSIX way")
def test_more_connections_than_files_may_be_open_are_borne(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    code = "import resource as r, runpy; r.setrlimit(r.RLIMIT_NOFILE, (256, 256)); "
    code += "runpy.run_module('genrescope', run_name='__main__')"
    command = [sys.executable, "-u", "-c", code, "serve", "--port", "0", "--workers", "1"]
    log = tmp_path / "log"
    with log.open("w") as errors, ExitStack() as stack:
        server = subprocess.Popen(
            [*command, "--bundle", str(tiny_bundle)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:(\d+)", server.stdout.readline())
            assert address is not None
            health = f"{address[0]}/api/v1/healthz"
            assert httpx.get(health, timeout=60).status_code == 200
            for _ in range(400):
                idle = socket.create_connection(("127.0.0.1", int(address[1])), timeout=20)
                stack.callback(idle.close)
            for _ in range(3):
                assert httpx.get(health, timeout=60).status_code == 200
        finally:
            server.terminate()
            server.communicate(timeout=60)
            server.kill()
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_a_port_that_is_taken_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        arguments = ["serve", "--port", str(port), "--bundle", str(tmp_path)]
        result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "--port" in result.stderr


def test_serving_without_a_bundle_is_refused_in_words(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.app, ["serve", "--port", "0", "--bundle", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr
    assert "Traceback" not in result.stderr


def test_an_address_of_another_machine_is_refused_in_words() -> None:
    result = CliRunner().invoke(cli.app, ["serve", "--host", "192.0.2.1"])
    assert result.exit_code == 1
    assert "192.0.2.1" in result.stderr
