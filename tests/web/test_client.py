"""A client that is generated from the API's description gets every answer."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import soundfile
from web.serving import Running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("openapi_python_client") is None, reason="needs openapi-python-client"
    ),
]


@pytest.fixture(scope="module")
def generated(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A function that gives a module of the generated package."""
    folder = tmp_path_factory.mktemp("generated")
    description = folder / "openapi.json"
    description.write_text(httpx.get(f"{server.url}/api/v1/openapi.json", timeout=30).text)
    # Beside it lie the programs that it calls, and else would say that it misses.
    path = str(Path(sys.executable).parent)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    done = subprocess.run(
        [*command, "--path", str(description), "--output-path", str(folder / "api_client")],
        env={"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout, done.stdout
    sys.path.insert(0, str(folder))

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"api_client.{name}")

    yield module
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "api_client"]:
        del sys.modules[name]


@pytest.fixture
def asking(generated: Any, server: Running) -> Iterator[Any]:
    with generated("client").Client(base_url=server.url, timeout=60) as client:
        yield client


def recording(generated: Any, kind: str, song: bytes) -> Any:
    """What a generated function takes as a form with one file, or as a body."""
    types = generated("types")
    file = types.File(payload=io.BytesIO(song), file_name="song.wav")
    return file if kind == "body" else getattr(generated("models"), kind)(file=file)


@pytest.mark.parametrize("kind", ["ClassifyFilesBody", "body"])
def test_classify(generated: Any, asking: Any, song: bytes, kind: str) -> None:
    answer = generated("api.recordings.classify").sync(
        client=asking, body=recording(generated, kind, song)
    )
    assert answer.spectrogram.n_frames > 0
    assert sum(answer.probabilities.to_dict().values()) == pytest.approx(1, abs=1e-3)
    bare = generated("api.recordings.classify").sync(
        client=asking, body=recording(generated, kind, song), spectrogram=False
    )
    assert not bare.spectrogram
    assert bare.genre == answer.genre


def test_polish(generated: Any, asking: Any, song: bytes) -> None:
    sound = generated("api.recordings.polish").sync(
        client=asking, body=recording(generated, "PolishFilesBody", song)
    )
    samples, sr = soundfile.read(sound.payload)
    assert len(samples) / sr == pytest.approx(6, abs=1)


def test_similar(generated: Any, asking: Any, song: bytes) -> None:
    ask = generated("api.catalogue.similar").sync
    by_file = ask(client=asking, body=recording(generated, "SimilarFilesBody", song), n=3)
    assert len(by_file.matches) == 3
    named = generated("models").SimilarJsonSimilarRequest
    embedding = json.loads(
        httpx.post(
            f"{asking._base_url}/api/v1/classify", files={"file": ("a.wav", song)}, timeout=60
        ).text
    )["embedding"]
    by_json = ask(client=asking, body=named(embedding=embedding, n=3))
    assert [m.track_id for m in by_json.matches] == [m.track_id for m in by_file.matches]


def test_facts_and_refusals(generated: Any, asking: Any) -> None:
    assert generated("api.server.healthz").sync(client=asking).status == "ok"
    assert generated("api.server.bundle").sync(client=asking).limits.audio_s == 900
    refused = generated("api.recordings.classify").sync(
        client=asking, body=recording(generated, "ClassifyFilesBody", b"no sound")
    )
    assert refused.error.code == "unusable_audio"
