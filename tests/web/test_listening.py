"""One upload brings the genre and then the more beautiful version."""

from __future__ import annotations

import io
import json
import math

import httpx
import numpy as np
import pytest
import soundfile as sf
from web.serving import StubEngine, music, parts, serve, wav

from genrescope.web.app import create_app
from genrescope.web.polishing import PolishedSound
from genrescope.web.problems import ProblemError
from genrescope.web.uploads import Upload


def listen(client: httpx.Client, data: bytes, form: str = "wav") -> httpx.Response:
    return client.post(f"/api/v1/listen?format={form}", files={"file": ("song.wav", data)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "media_type", "kind"),
    [("wav", "audio/wav", "WAV"), ("flac", "audio/flac", "FLAC"), ("opus", "audio/ogg", "OGG")],
)
def test_both_parts_are_what_the_two_verbs_say(
    client: httpx.Client, song: bytes, form: str, media_type: str, kind: str
) -> None:
    answer = listen(client, song, form)
    (_, first), (headers, _) = parts(answer)
    file = {"file": ("song.wav", song)}
    assert json.loads(first) == client.post("/api/v1/classify", files=file).json()
    assert headers["content-type"] == media_type
    polished = client.post(f"/api/v1/polish?format={form}", files=file)
    assert polished.headers["content-type"] == media_type
    assert polished.headers["x-loudness-after"] == headers["x-loudness-after"]
    assert int(headers["content-length"]) == pytest.approx(len(polished.content), rel=0.01)
    with sf.SoundFile(io.BytesIO(polished.content)) as sound:
        assert (sound.format, sound.channels) == (kind, 2)
        assert sound.frames / sound.samplerate == pytest.approx(6, abs=0.3)
        assert abs(sound.read()).max() > 0.1


@pytest.mark.slow
def test_a_smaller_form_is_smaller(client: httpx.Client, song: bytes) -> None:
    opus, flac, plain = (
        len(listen(client, song, form).content) for form in ("opus", "flac", "wav")
    )
    assert max(opus, flac) < 0.4 * plain


def test_what_cannot_be_used_is_refused_before_anything_is_said(client: httpx.Client) -> None:
    answer = listen(client, b"These are words.")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unusable_audio"
    assert listen(client, b"", "wav").status_code == 422
    assert listen(client, wav(music(1)), "mp5").status_code == 422


def test_a_long_recording_is_only_named(client: httpx.Client) -> None:
    minute = np.tile(music(6, sr=8_000), (11, 1))
    (_, first), (headers, second) = parts(listen(client, wav(minute, sr=8_000)))
    assert json.loads(first)["duration_s"] > 60
    assert headers["content-type"] == "application/json"
    assert json.loads(second)["error"]["code"] == "long"


class Unpolished(StubEngine):
    """Names the genre and cannot polish."""

    def polish(self, upload: Upload, form: str, *, deadline: float = math.inf) -> PolishedSound:
        raise ProblemError(503, "busy", "Many are here.", remedy="Later.")


@pytest.mark.slow
def test_when_polishing_fails_the_genre_has_been_said() -> None:
    with (
        serve(create_app(engine=Unpolished())) as running,  # type: ignore[arg-type]
        httpx.Client(base_url=running.url) as client,
    ):
        (_, first), (_, second) = parts(listen(client, b"abc"))
        assert json.loads(first) == {"bytes": 3}
        refused = json.loads(second)
        assert (refused["status"], refused["error"]["code"]) == (503, "busy")
        held = client.get("/metrics").text
        assert "genrescope_held_bytes 0\n" in held
