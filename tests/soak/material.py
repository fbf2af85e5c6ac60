"""What the clients of a load test send, each with the answer that is right for it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from audio_makers import chord, encoded

from genrescope.web.engine import Engine
from genrescope.web.limits import Limits
from genrescope.web.uploads import Upload

MB = 2**20


@dataclass(frozen=True)
class Ask:
    """A request and its truth.

    Attributes:
        group: what its latency is counted under.
        weight: how often it is sent, relative to the others.
        path: where to.
        options: for `httpx.AsyncClient.request`.
        status: the right status.
        code: the right ``error.code``, if any.
        body: the right answer, byte for byte, if it is known.
        slow_s: how long the client pauses in the middle of its upload.
        leaves: whether it hangs up there.
    """

    group: str
    weight: float
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    code: str | None = None
    body: bytes | None = None
    slow_s: float = 0.0
    leaves: bool = False


def asks(bundle: Path, *, short: bool = False) -> list[Ask]:
    """Every kind of request; the truth comes from one process, before there is any load."""
    engine = Engine.load(bundle, limits=Limits(workers=1))
    try:
        return _asks(engine, short=short)
    finally:
        engine.close()


def _asks(engine: Engine, *, short: bool) -> list[Ask]:
    upload_limit = 50 * MB
    return [
        *_recordings(engine, short=short),
        *_polishing(engine),
        *_similar(engine),
        *_no_recordings(),
        *_odd_requests(None if short else upload_limit),
        *(Ask("page", 1, path) for path in ("/", "/static/app.js", "/api/v1/healthz", "/metrics")),
    ]


def _files(data: bytes, name: str) -> dict[str, Any]:
    return {"files": {"file": (name, data)}}


def _recordings(engine: Engine, *, short: bool) -> list[Ask]:
    def ask(group: str, weight: float, kind: str, seconds: float, **more: Any) -> Ask:
        data = _music(kind, seconds)
        name = f"{kind}-{seconds:g}"
        right = engine.classify(Upload(name, data))
        return Ask(group, weight, "/api/v1/classify", _files(data, name), body=right, **more)

    made = [
        *(ask("1 s", 3, kind, 1) for kind in ("wav16", "opus")),
        *(ask("10 s", 3, kind, 10) for kind in ("mp3", "ogg", "m4a", "webm-browser", "wma")),
        ask("slow or leaving client", 1, "mp3", 10, slow_s=1.0),
        ask("slow or leaving client", 1, "mp3", 10, leaves=True),
    ]
    if not short:
        made += [
            *(ask("30 s", 3, kind, 30) for kind in ("mp3", "flac", "webm", "m4a")),
            ask("30 s", 1, "wav16", 30),
            ask("4 min", 0.5, "mp3", 240),
            ask("4 min", 0.5, "flac", 240),
        ]
    cut = _music("mp3", 10)[:-3_001]
    quiet = encoded("flac", np.zeros((22_050 * 10, 1), np.float32), 22_050)
    for name, data in (("cut.mp3", cut), ("quiet.flac", quiet)):
        right = engine.classify(Upload(name, data))
        made.append(Ask("10 s", 1, "/api/v1/classify", _files(data, name), body=right))
    return made


def _polishing(engine: Engine) -> list[Ask]:
    data = _music("mp3", 10)
    right = engine.polish(Upload("a.mp3", data)).data
    return [Ask("polish 10 s", 1, "/api/v1/polish", _files(data, "a.mp3"), body=right)]


def _similar(engine: Engine) -> list[Ask]:
    embedding = engine.embed(Upload("a.mp3", _music("mp3", 10))).round(6).tolist()
    rounded = np.asarray(embedding, np.float32)
    right = json.dumps(
        {"matches": engine.similar(rounded, 5)}, ensure_ascii=False, separators=(",", ":")
    )
    path = "/api/v1/similar"
    return [
        Ask("similar", 2, path, {"json": {"embedding": embedding}}, body=right.encode()),
        Ask("bad", 1, path, {"json": {"embedding": []}}, 422, "invalid_request"),
        Ask("bad", 1, path, {"json": {"embedding": [1.0, 2.0]}}, 422, "invalid_request"),
    ]


def _no_recordings() -> list[Ask]:
    rng = np.random.default_rng(0)
    loud = io.BytesIO()
    soundfile.write(loud, np.full((9_000, 1), np.nan), 22_050, format="WAV", subtype="FLOAT")
    hours = np.zeros((8_000 * 1_000, 1), np.float32)  # 1,000 s in a few kB
    bad = {
        "noise": rng.bytes(100_000),
        "page.mp3": b"<!doctype html><title>404</title>" * 50,
        "nan.wav": loud.getvalue(),
        "none.wav": encoded("wav16", hours[:0], 22_050),
        "cut.m4a": _music("m4a", 10)[:5_000],
    }
    path = "/api/v1/classify"
    return [
        *(Ask("bad", 1, path, _files(d, n), 422, "unusable_audio") for n, d in bad.items()),
        Ask("bad", 1, path, _files(encoded("flac", hours, 8_000), "bomb.flac"), 413, "too_long"),
        Ask("bad", 1, path, _files(b"", "empty.wav"), 422, "empty_file"),
    ]


def _odd_requests(upload_limit: int | None) -> list[Ask]:
    path, song = "/api/v1/classify", _music("mp3", 10)
    kind = {"content-type": "multipart/form-data; boundary=x"}
    text = {"content-type": "text/plain"}
    broken = {"content": b"--x\r\nbroken", "headers": kind}
    odd = [
        Ask("bad", 1, path, {"files": {"other": ("a.mp3", b"short")}}, 422, "no_file"),
        Ask("bad", 1, path, {"files": {"other": ("a.mp3", song)}}, 413, "form_too_large"),
        Ask("bad", 1, path, {"content": song, "headers": text}, 415, "not_multipart"),
        Ask("bad", 1, path, broken, 400, "malformed_upload"),
        Ask("bad", 1, path, {"headers": {"host": "evil.example"}}, 400, "unknown_host"),
        Ask("bad", 1, path, {"headers": {"sec-fetch-site": "cross-site"}}, 403, "cross_site"),
        Ask("bad", 1, "/static/../app.py", {}, 404, "not_found"),
    ]
    if upload_limit is not None:
        too_much = _files(bytes(upload_limit + 2 * MB), "much.wav")
        odd.append(Ask("bad", 0.1, path, too_much, 413, "too_large"))
    return odd


def _music(kind: str, seconds: float) -> bytes:
    ten = chord(min(seconds, 10), 44_100, n_channels=2)
    return encoded(kind, np.tile(ten, (max(1, round(seconds / 10)), 1)), 44_100)


def method(ask: Ask) -> str:
    """GET for what is only looked at."""
    looks = ask.path.startswith(("/static", "/metrics", "/api/v1/healthz")) or ask.path == "/"
    return "GET" if looks else "POST"


Chooser = Callable[[], Ask]


def chooser(kinds: list[Ask], *, seed: int) -> Chooser:
    """Draws requests by their weights."""
    rng = np.random.default_rng(seed)
    weights = np.array([ask.weight for ask in kinds])
    return lambda: kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
