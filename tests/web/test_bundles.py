"""A server with several bundles answers by the one that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from bundle_maker import make_bundle
from web.serving import music, serve, wav

from genrescope.errors import BundleError
from genrescope.model.bundle import shipped_bundles
from genrescope.web.app import create_app
from genrescope.web.engine import load_engines
from genrescope.web.limits import Limits

OWN = tuple(f"genre {i}" for i in range(10))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    top = tmp_path_factory.mktemp("bundles")
    usual = make_bundle(top / "usual").path
    return [usual, make_bundle(top / "own", labels=OWN, name="my own").path]


@pytest.fixture(scope="module")
def asker(folders: list[Path]) -> Iterator[httpx.Client]:
    with (
        serve(create_app(bundle=folders)) as running,
        httpx.Client(base_url=f"{running.url}/api/v1", timeout=30) as client,
    ):
        yield client


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "bundle", "label"),
    [("", "tiny", "blues"), ("?bundle=usual", "tiny", "blues"), ("?bundle=own", "my own", OWN[0])],
)
def test_each_verb_takes_the_name_of_a_bundle(
    asker: httpx.Client, query: str, bundle: str, label: str
) -> None:
    file = {"file": ("song.wav", wav(music(4)))}
    answer = asker.post(f"/classify{query}", files=file).raise_for_status().json()
    assert answer["bundle"] == bundle
    assert label in answer["probabilities"]
    assert bundle.encode() in asker.post(f"/listen{query}", files=file).content
    embedding = answer["embedding"]
    matches = asker.post(f"/similar{query}", json={"embedding": embedding}).json()["matches"]
    assert matches
    facts = asker.get(f"/bundle{query}").json()
    assert facts["name"] == bundle
    assert [choice["name"] for choice in facts["bundles"]] == ["usual", "own"]
    assert facts["bundles"][1]["labels"] == list(OWN)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["classify", "listen", "similar", "bundle"])
def test_a_bundle_that_is_not_there_is_refused_by_name(asker: httpx.Client, path: str) -> None:
    method = "GET" if path == "bundle" else "POST"
    answer = asker.request(method, f"/{path}?bundle=../usual")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "unknown_bundle"
    assert "usual, own" in answer.json()["error"]["remedy"]


@pytest.mark.slow
def test_engines_share_their_processes(folders: list[Path]) -> None:
    first, second = load_engines(folders, limits=Limits()).values()
    assert first._decoders is second._decoders
    assert first._polisher is second._polisher


@pytest.mark.slow
def test_two_of_one_name_are_refused(folders: list[Path], tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "usual").path
    with pytest.raises(BundleError, match="two bundles are called usual"):
        load_engines([folders[0], other], limits=Limits())


@pytest.mark.slow
def test_what_ships_begins_with_the_default() -> None:
    assert shipped_bundles()[0].name == "default"
    assert all((folder / "bundle.json").is_file() for folder in shipped_bundles())
