from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest


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
        server.wait()
    assert server.returncode == 0
    assert "Traceback" not in errors
