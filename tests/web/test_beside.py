"""The page that listens on the visitor's computer, as a server offers it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from bundle_maker import make_bundle
from web.serving import serve

from genrescope.features.config import FeatureConfig
from genrescope.web.app import create_app
from genrescope.web.site import ORT_FILES, SiteError


@pytest.fixture(scope="module")
def ort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for ONNX Runtime where nothing is run."""
    folder = tmp_path_factory.mktemp("ort")
    for name in ORT_FILES:
        (folder / name).write_bytes(name.encode() * 100)
    return folder


@pytest.fixture(scope="module")
def both(tiny_bundle: Path, ort: Path) -> Iterator[httpx.Client]:
    """Of a server that offers it."""
    with (
        serve(create_app(bundle=tiny_bundle, ort=ort)) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
    ):
        yield client


def _link(page: str) -> str | None:
    found = re.search(r'<a id="elsewhere" class="check" (?:href="([^"]+)"|hidden)>', page)
    assert found
    return found[1]


@pytest.mark.parametrize(("language", "there"), [("en", "/local/"), ("de", "/local/de.html")])
def test_each_page_leads_to_the_other_in_its_language(
    both: httpx.Client, language: str, there: str
) -> None:
    assert _link(both.get("/", params={"lang": language}).text) == there
    page = both.get(there).text
    assert f'<html lang="{language}">' in page
    assert 'data-runs="computer"' in page
    assert _link(page) == f"../?lang={language}"


@pytest.mark.slow
def test_its_files_come_with_their_types_and_a_policy_that_lets_the_net_run(
    both: httpx.Client,
) -> None:
    for path, kind in (
        ("", "text/html; charset=utf-8"),
        ("worker.js", "text/javascript; charset=utf-8"),
        ("static/ort/ort.wasm", "application/wasm"),
        ("static/site.json", "application/json"),
        ("bundle/0/model.half", "application/octet-stream"),
    ):
        answer = both.get(f"/local/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == kind
        policy = answer.headers["content-security-policy"]
        assert "'wasm-unsafe-eval'" in policy
        assert "connect-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in both.get("/").headers["content-security-policy"]
    packed = both.get("/local/static/ort/ort.wasm").headers
    assert packed["content-encoding"] == "gzip"
    again = {"If-None-Match": packed["etag"]}
    assert both.get("/local/static/ort/ort.wasm", headers=again).status_code == 304


@pytest.mark.parametrize("path", ["nothing.js", "../bundle.json", "bundle", "static/"])
def test_what_is_not_of_it_is_not_there(both: httpx.Client, path: str) -> None:
    assert both.get(f"/local/{path}").status_code == 404


@pytest.mark.slow
def test_without_onnx_runtime_it_is_not_offered(tiny_bundle: Path) -> None:
    with serve(create_app(bundle=tiny_bundle)) as running:
        assert _link(httpx.get(running.url).text) is None
        assert httpx.get(f"{running.url}/local/").status_code == 404


@pytest.mark.slow
def test_nor_for_a_front_end_that_no_browser_computes(tmp_path: Path, ort: Path) -> None:
    bundle = make_bundle(tmp_path / "odd", features=FeatureConfig(n_fft=2000)).path
    with serve(create_app(bundle=bundle, ort=ort)) as running:
        assert _link(httpx.get(running.url).text) is None


def test_a_folder_without_it_is_refused(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(SiteError, match="npm ci --prefix page"):
        create_app(bundle=tiny_bundle, ort=tmp_path)
