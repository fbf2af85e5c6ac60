"""What the server counts of its work."""

from __future__ import annotations

import re

import httpx


def test_metrics_count_by_template(client: httpx.Client) -> None:
    client.get("/static/style.css")
    client.get("/nothing/that-a-client-made-up")
    client.request("BREW", "/")
    text = client.get("/metrics").text
    assert re.search(
        r'requests_total\{method="GET",route="/static/\{path:path\}",status="200"\} \d', text
    )
    assert "made-up" not in text
    assert "BREW" not in text
    for name in ("in_flight 1", "listening_jobs 0", "held_bytes 0"):
        assert f"genrescope_{name}\n" in text
    buckets = re.findall(r'seconds_bucket\{route="/static/\{path:path\}",le="[^"]*"\} (\d+)', text)
    assert len(buckets) > 1
    assert [int(n) for n in buckets] == sorted(int(n) for n in buckets)
