from __future__ import annotations

import asyncio

import httpx
from web.serving import StubEngine

from genrescope.system import n_cores
from genrescope.web.app import create_app
from genrescope.web.limits import Limits


def limits_shown(limits: Limits | None) -> dict[str, float]:
    app = create_app(engine=StubEngine(), limits=limits)  # type: ignore[arg-type]

    async def ask() -> dict[str, float]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            shown: dict[str, float] = (await client.get("/api/v1/bundle")).json()["limits"]
            return shown

    return asyncio.run(ask())


def test_the_limits_that_are_given_are_those_that_hold() -> None:
    assert limits_shown(Limits(upload_bytes=7, audio_s=5)) == {"upload_bytes": 7, "audio_s": 5}
    assert limits_shown(None) == {"upload_bytes": 50 * 2**20, "audio_s": 900}


def test_little_memory_is_shared_out() -> None:
    little, usual = Limits(memory_bytes=2**30, workers=2), Limits(workers=2)
    assert little.polishing_bytes == 2**30 // 4
    assert 60 < little.polish_audio_s < 120 < little.audio_s
    assert little.room_bytes == 2**30 // 8
    assert little.decoding_bytes < usual.decoding_bytes / 2
    assert Limits(memory_bytes=2**30, workers=8).polishing_bytes == 2**30 // 8  # two at once
    assert 30 < little.explain_audio_s < 60  # what the page records
    assert usual.explain_audio_s == 120
    much = Limits(memory_bytes=64 * 2**30, workers=2)
    assert (much.polishing_bytes, much.room_bytes) == (usual.polishing_bytes, usual.room_bytes)
    assert usual.polish_audio_s == usual.audio_s


def test_limits_have_room_for_two_of_the_largest() -> None:
    assert Limits().room_bytes == 400 * 2**20
    assert Limits(upload_bytes=2**30).room_bytes == 2 * 2**30
    assert Limits(audio_s=3_600).room_bytes == 2 * 3_600 * 48_000 * 2 * 2
    assert Limits(held_bytes=1).room_bytes == 1
    assert Limits().workers == n_cores()
    assert [Limits(workers=n).polishers for n in (1, 3, 4, 64)] == [1, 1, 2, 2]
