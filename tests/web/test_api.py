"""The API answers what its description promises."""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from web.serving import music, serve, wav

from genrescope import __version__
from genrescope.features.config import FeatureConfig
from genrescope.model import Classifier
from genrescope.web import schemas
from genrescope.web.app import create_app
from genrescope.web.engine import picture
from genrescope.web.limits import Limits

FILE = "/api/v1/classify"


def send(client: httpx.Client, verb: str, data: bytes, name: str = "song.wav") -> httpx.Response:
    return client.post(f"/api/v1/{verb}", files={"file": (name, data)})


def fault(response: httpx.Response) -> schemas.Fault:
    return schemas.ErrorAnswer.model_validate(response.json()).error


def test_classify_says_what_the_classifier_says(
    client: httpx.Client, song: bytes, tiny_bundle: Path
) -> None:
    answer = send(client, "classify", song).raise_for_status().json()
    expected = Classifier.load(tiny_bundle).classify(song)
    assert {key: answer[key] for key in expected.to_dict()} == expected.to_dict()
    assert answer["embedding"] == pytest.approx(expected.embedding, abs=1e-6)
    schemas.ClassifyAnswer.model_validate(answer)


@pytest.mark.slow
def test_explain_says_what_the_classifier_explains(
    client: httpx.Client, song: bytes, tiny_bundle: Path
) -> None:
    answer = send(client, "explain", song).raise_for_status().json()
    assert answer == Classifier.load(tiny_bundle).explain(song).to_dict()
    schemas.ExplainAnswer.model_validate(answer)
    asked = send(client, "explain?genre=metal", song).raise_for_status().json()
    assert asked["genre"] == "metal"


@pytest.mark.slow
@pytest.mark.parametrize("part", ["decided", "indifferent", "against"])
def test_an_explanation_can_be_heard(client: httpx.Client, song: bytes, part: str) -> None:
    response = send(client, f"explain?sound={part}&format=flac", song).raise_for_status()
    assert response.headers["content-type"] == "audio/flac"
    samples, sr = sf.read(io.BytesIO(response.content))
    whole, whole_sr = sf.read(io.BytesIO(song))
    assert len(samples) / sr == pytest.approx(len(whole) / whole_sr, abs=0.01)


def test_a_genre_that_the_bundle_does_not_know_cannot_be_explained(
    client: httpx.Client, song: bytes
) -> None:
    response = send(client, "explain?genre=polka", song)
    assert response.status_code == 422
    assert "there is no genre" in fault(response).message


def test_spectrogram_picture_shows_where_the_sound_is(client: httpx.Client) -> None:
    t = np.arange(2 * 22_050) / 22_050
    low_then_high = np.sin(2 * np.pi * np.where(t < 1, 300, 6_000) * t).astype(np.float32)
    shown = send(client, "classify", wav(low_then_high)).json()["spectrogram"]
    levels = np.frombuffer(base64.b64decode(shown["data"]), np.uint8)
    bands = levels.reshape(shown["n_mels"], shown["n_frames"]).argmax(axis=0)
    quarter = shown["n_frames"] // 4
    assert bands[quarter] < shown["n_mels"] / 4 < shown["n_mels"] / 2 < bands[3 * quarter]
    assert shown["duration_s"] == pytest.approx(2, abs=0.1)
    assert (shown["scale"], shown["fmin"], shown["fmax"]) == ("mel", 0, 11_025)


def test_a_linear_picture_says_so() -> None:
    config = FeatureConfig(n_fft=512, n_mels=None, kind="stft")
    shown = picture(np.zeros((257, 10), np.float32), config, duration_s=1)
    assert (shown["scale"], shown["fmin"], shown["fmax"]) == ("linear", 0, 11_025)


@settings(max_examples=25, deadline=None)
@given(n_frames=st.integers(1, 3_000), level=st.floats(-80, 0))
def test_picture_never_grows_and_keeps_the_mean(n_frames: int, level: float) -> None:
    log_mel = np.full((4, n_frames), level, np.float32)
    shown = picture(log_mel, FeatureConfig(n_mels=4), duration_s=1)
    levels = np.frombuffer(base64.b64decode(shown["data"]), np.uint8)
    assert shown["n_frames"] == min(n_frames, 600)
    assert len(levels) == 4 * shown["n_frames"]
    assert np.abs(levels - (level / 80 + 1) * 255).max() <= 1


def test_silence_has_no_genre_and_looks_black(client: httpx.Client) -> None:
    answer = send(client, "classify", wav(np.zeros((22_050 * 4, 1), np.float32))).json()
    assert answer["genre"] is None
    assert "silent" in answer["flags"]
    assert set(base64.b64decode(answer["spectrogram"]["data"])) == {0}
    matches = client.post("/api/v1/similar", json={"embedding": answer["embedding"]})
    assert matches.json() == {"matches": []}


def test_polish_gives_a_stereo_wav_at_the_loudness_it_says(
    client: httpx.Client, song: bytes
) -> None:
    response = send(client, "polish", song).raise_for_status()
    assert response.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(response.content)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
        assert file.getnframes() / file.getframerate() == pytest.approx(6, abs=1)
    assert float(response.headers["x-loudness-after"]) == pytest.approx(-14, abs=1)
    assert float(response.headers["x-loudness-before"]) < -5
    assert float(response.headers["x-peak"]) <= 0


def test_similar_by_embedding_and_by_file_agree(client: httpx.Client, song: bytes) -> None:
    embedding = send(client, "classify", song).json()["embedding"]
    by_file = send(client, "similar", song).json()["matches"]
    asked = {"embedding": embedding, "n": 3}
    by_embedding = client.post("/api/v1/similar", json=asked).json()["matches"]
    assert [m["track_id"] for m in by_embedding] == [m["track_id"] for m in by_file[:3]]
    similarities = [m["similarity"] for m in by_file]
    assert similarities == sorted(similarities, reverse=True)
    assert all(m["search_url"].startswith("https://") for m in by_file)
    schemas.SimilarAnswer.model_validate({"matches": by_file})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"embedding": []}',
        b'{"embedding": [1, 2]}',
        b'{"embedding": [NaN]}',
        b'{"embedding": [1e999]}',
        b'{"embedding": ["1"]}',
        b'{"embedding": [1], "n": 0}',
        b'{"embedding": [1], "n": 1000000}',
        b'{"embedding": [1], "more": 1}',
    ],
)
def test_similar_refuses_what_is_no_embedding(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = client.post("/api/v1/similar", content=body, headers=headers)
    assert response.status_code == 422
    assert fault(response).code == "invalid_request"


def test_similar_refuses_other_types_and_long_bodies(client: httpx.Client) -> None:
    plain = {"Content-Type": "text/plain"}
    assert client.post("/api/v1/similar", content=b"hello", headers=plain).status_code == 415
    headers = {"Content-Type": "application/json"}
    huge = client.post("/api/v1/similar", content=b" " * 300_000, headers=headers)
    assert huge.status_code == 413


def test_what_is_no_music_is_refused_by_name_with_a_remedy(client: httpx.Client) -> None:
    response = send(client, "classify", b"These are words.", "../../etc/notes.txt")
    assert response.status_code == 422
    refusal = fault(response)
    assert refusal.message.startswith("notes.txt: ")
    assert refusal.remedy


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["classify", "polish", "similar"])
def test_a_recording_over_the_limit_of_minutes_is_refused(tiny_bundle: Path, verb: str) -> None:
    app = create_app(bundle=tiny_bundle, limits=Limits(audio_s=3))
    with serve(app) as running, httpx.Client(base_url=running.url, timeout=60) as client:
        response = send(client, verb, wav(music(4)))
        assert (response.status_code, fault(response).code) == (413, "too_long")
        assert send(client, verb, wav(music(2))).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"files": {"file": ("a.wav", b"")}}, 422),
        ({"files": {"music": ("a.wav", b"abc")}}, 422),
        ({"content": b"abc"}, 422),
        ({"content": b"abc", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"", "headers": {"Content-Type": "audio/mpeg"}}, 422),
        ({"data": {"file": "abc"}}, 415),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data"}}, 415),
        ({"content": b"abc", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400),
        (
            {
                "content": b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nabc",
                "headers": {"Content-Type": "multipart/form-data; boundary=x"},
            },
            400,
        ),
    ],
)
def test_uploads_of_another_form_are_refused(
    client: httpx.Client, request_: dict[str, object], status: int
) -> None:
    response = client.post(FILE, **request_)  # type: ignore[arg-type]
    assert response.status_code == status
    assert fault(response).message


def test_bundle_and_health(client: httpx.Client, tiny_bundle: Path) -> None:
    answer = client.get("/api/v1/bundle").json()
    schemas.BundleAnswer.model_validate(answer)
    assert answer["limits"] == {"upload_bytes": 50 * 2**20, "audio_s": 900}
    assert len(answer["labels"]) == 10
    health = client.get("/api/v1/healthz").json()
    assert health == {"status": "ok", "version": __version__, "bundle": answer["name"]}


def test_the_tracks_that_were_learned_from_are_named_on_request(client: httpx.Client) -> None:
    short = client.get("/api/v1/bundle").json()["training"]
    long = client.get("/api/v1/bundle?tracks=true").json()["training"]
    assert "tracks" not in short
    assert short["n_tracks"] == len(long["tracks"])


@pytest.mark.parametrize("n", [1, 3, 10])
def test_similar_names_as_many_tracks_as_are_asked_for(
    client: httpx.Client, song: bytes, n: int
) -> None:
    file = {"file": ("song.wav", song)}
    raw = {"Content-Type": "application/octet-stream"}
    for answer in (
        client.post(f"/api/v1/similar?n={n}", files=file),
        client.post("/api/v1/similar", files=file, data={"n": str(n)}),
        client.post(f"/api/v1/similar?n={n}", content=song, headers=raw),
    ):
        assert len(answer.json()["matches"]) == n


@pytest.mark.parametrize("n", ["0", "51", "-1", "three", "9" * 5_000])
def test_similar_refuses_odd_numbers(client: httpx.Client, song: bytes, n: str) -> None:
    file = {"file": ("song.wav", song)}
    for answer in (
        client.post(f"/api/v1/similar?n={n}", files=file),
        client.post("/api/v1/similar", files=file, data={"n": n}),
    ):
        assert answer.status_code == 422
        assert fault(answer).code == "invalid_request"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("accept", "media_type", "beginning"),
    [
        ("*/*", "audio/wav", b"RIFF"),
        ("audio/flac", "audio/flac", b"fLaC"),
        ("text/html, audio/ogg;q=0.9", "audio/ogg", b"OggS"),
        ("application/octet-stream", "application/octet-stream", b"RIFF"),
    ],
)
def test_polish_gives_the_form_that_is_accepted(
    client: httpx.Client, song: bytes, accept: str, media_type: str, beginning: bytes
) -> None:
    files, headers = {"file": ("song.wav", song)}, {"Accept": accept}
    answer = client.post("/api/v1/polish", files=files, headers=headers)
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(beginning)
    named = client.post("/api/v1/polish?format=flac", files=files, headers=headers)
    assert named.headers["content-type"] == "audio/flac"


def test_unknown_addresses_and_methods_are_json(client: httpx.Client) -> None:
    missing = client.get("/api/v1/nothing")
    assert (missing.status_code, fault(missing).code) == (404, "not_found")
    wrong = client.get(FILE)
    assert (wrong.status_code, fault(wrong).code) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


def test_description_names_every_route_and_the_page_shows_it(client: httpx.Client) -> None:
    described = client.get("/api/v1/openapi.json").json()
    assert set(described["paths"]) == {
        f"/api/v1/{name}"
        for name in ("classify", "explain", "polish", "similar", "healthz", "bundle")
    }
    docs = client.get("/api/v1/docs")
    for path in described["paths"]:
        assert path in docs.text
    assert "{{" not in docs.text
    assert "a field <code>file</code>" in docs.text
    assert "$ref" not in docs.text
    assert docs.text.count("<code>curl ") >= len(described["paths"])
    assert client.get("/docs", follow_redirects=True).text == docs.text
    for operations in described["paths"].values():
        for operation in operations.values():
            assert set(operation["tags"]) <= {tag["name"] for tag in described["tags"]}
    assert described["servers"]


@pytest.mark.parametrize("format_", ["FLAC", "OGG", "AIFF", "MP3"])
def test_formats(client: httpx.Client, format_: str) -> None:
    file = io.BytesIO()
    sf.write(file, music(4), 22_050, format=format_)
    answer = send(client, "classify", file.getvalue(), "song").json()
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answer["timeline"][-1]["end"] == pytest.approx(answer["duration_s"], abs=0.002)
