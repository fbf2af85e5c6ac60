"""What Prometheus reads of a run."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from genrescope.errors import FleetError
from genrescope.fleet.metrics import serve, server, text
from genrescope.fleet.status import Status, Watch
from genrescope.fleet.store import open_folder


@pytest.fixture
def scraped(half_done: Path) -> Iterator[str]:
    ready = server(Watch(open_folder(half_done)), 0)
    thread = Thread(target=ready.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{ready.server_address[1]}"
    ready.shutdown()
    thread.join(timeout=30)
    ready.server_close()


def test_prometheus_is_answered(scraped: str) -> None:
    with urllib.request.urlopen(f"{scraped}/metrics", timeout=30) as reply:
        assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        body = reply.read().decode()
    assert "# TYPE genrescope_fleet_songs_done gauge\ngenrescope_fleet_songs_done 40\n" in body
    assert 'genrescope_fleet_errors{code="timeout"} 4\n' in body
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{scraped}/other", timeout=30)
    caught.value.close()
    assert caught.value.code == 404


def test_large_counts_are_exact_and_an_unknown_rate_is_not_told() -> None:
    status = Status(82_000_001, 1, 10, 0, {}, None, None, "tiny")
    assert "genrescope_fleet_songs 82000001\n" in text(status)
    assert "seconds_left" not in text(status)


def test_a_run_that_is_damaged_meanwhile_is_told_as_an_error(scraped: str, half_done: Path) -> None:
    (half_done / "part-000007.parquet").write_bytes(b"half")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{scraped}/metrics", timeout=30)
    with caught.value as reply:
        assert reply.code == 500
        assert "part-000007.parquet" in reply.read().decode()


def test_a_port_that_is_taken_is_named(half_done: Path) -> None:
    watch = Watch(open_folder(half_done))
    with server(watch, 0) as first:
        port = first.server_address[1]
        with pytest.raises(FleetError, match=f"port {port}.*cannot be opened"):
            serve(watch, port, tell=lambda url: pytest.fail(f"listens at {url}"))
