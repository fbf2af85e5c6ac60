"""One upload brings an explanation and its three sounds, as they are made."""

from __future__ import annotations

import io
import json
from pathlib import Path

import httpx
import pytest
import soundfile as sf
from web.serving import parts, serve

from genrescope.web.app import create_app
from genrescope.web.limits import Limits


def explain(client: httpx.Client, data: bytes, **query: str) -> httpx.Response:
    query = {"sound": "all", "format": "flac", **query}
    return client.post("/api/v1/explain", params=query, files={"file": ("song.wav", data)})


@pytest.mark.slow
def test_all_of_it_comes_at_once(client: httpx.Client, song: bytes) -> None:
    *steps, (_, figures), decided, indifferent, against = parts(explain(client, song, genre="jazz"))
    shares = [json.loads(step)["progress"] for _, step in steps]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    file = {"file": ("song.wav", song)}
    alone = client.post("/api/v1/explain?genre=jazz", files=file)
    assert json.loads(figures) == alone.json()
    for name, (headers, data) in zip(
        ("decided", "indifferent", "against"), (decided, indifferent, against), strict=True
    ):
        assert headers["content-type"] == "audio/flac"
        alone = client.post(f"/api/v1/explain?genre=jazz&format=flac&sound={name}", files=file)
        assert sf.read(io.BytesIO(data))[0] == pytest.approx(
            sf.read(io.BytesIO(alone.content))[0], abs=1e-3
        )


def test_what_cannot_be_used_is_refused_before_anything_is_said(client: httpx.Client) -> None:
    answer = explain(client, b"These are words.")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unusable_audio"
    assert explain(client, b"abc", genre="polka").status_code == 422


@pytest.mark.slow
def test_what_takes_too_long_is_given_up(tiny_bundle: Path, song: bytes) -> None:
    app = create_app(bundle=tiny_bundle, limits=Limits(work_s=0.05))
    with serve(app) as running, httpx.Client(base_url=running.url, timeout=30) as client:
        answer = explain(client, song)
        last = answer.json() if answer.status_code == 504 else json.loads(parts(answer)[-1][1])
    assert last["error"]["code"] == "timed_out"
