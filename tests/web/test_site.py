"""The site that is written for a host of files: complete, with its own addresses, never half."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from bundle_maker import make_bundle

from genrescope.features.config import STFT_CONFIG
from genrescope.model.bundle import Bundle
from genrescope.web import pages
from genrescope.web.halved import halve
from genrescope.web.site import ORT_FILES, Site, SiteError, export_site, texts


@pytest.fixture(scope="module")
def ort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands for ONNX Runtime where nothing is run."""
    folder = tmp_path_factory.mktemp("ort")
    for name in ORT_FILES:
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def site(tmp_path: Path, tiny_bundle: Path, ort: Path) -> Site:
    return export_site(tmp_path / "site", bundles=[Bundle.load(tiny_bundle)], ort=ort)


def test_every_address_in_it_leads_somewhere(site: Site) -> None:
    for name in ("index.html", "de.html"):
        page = (site.folder / name).read_text(encoding="utf-8")
        addresses = re.findall(r'(?:href|src)="(?!#|/api/)([^"]+)"', page)
        assert len(addresses) > 20
        for address in addresses:
            assert not address.startswith(("/", "http")), address
            assert (site.folder / address).exists(), address
        assert "{{" not in page
    manifest = json.loads((site.folder / "static/app.webmanifest").read_text())
    assert manifest["start_url"] == manifest["scope"] == "../"
    assert all((site.folder / "static" / icon["src"]).exists() for icon in manifest["icons"])


def test_no_script_of_it_knows_the_root_of_a_host(site: Site) -> None:
    for path in (site.folder / "static").rglob("*.js"):
        assert not re.search(r'["`]/(?:static|api)/', path.read_text(encoding="utf-8")), path


def test_the_scripts_import_what_is_there(site: Site) -> None:
    for path in (site.folder / "static").rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r'(?:from|import) "(\.[^"]+)"', text):
            assert (path.parent / name).exists(), (path, name)


def test_the_page_says_who_may_be_asked(site: Site) -> None:
    page = (site.folder / "index.html").read_text(encoding="utf-8")
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert len(policy) == 1
    assert "connect-src 'self';" in policy[0]
    assert "default-src 'none'" in policy[0]
    assert "The sound never leaves" in page or "the sound never leaves" in page


def test_what_it_needs_offline_is_all_of_it(site: Site) -> None:
    worker = (site.folder / "worker.js").read_text(encoding="utf-8")
    kept = set(json.loads(re.findall(r"const FILES = (\[.*?\]);", worker)[0]))
    files = {p.relative_to(site.folder).as_posix() for p in site.folder.rglob("*") if p.is_file()}
    assert len(files) == site.n_files
    assert files - kept == {"worker.js", "index.html", ".nojekyll"}
    assert kept - files == {"./"}


def test_hashes_are_those_of_the_files(site: Site, tiny_bundle: Path) -> None:
    described = json.loads((site.folder / "static/site.json").read_text())
    raw = (site.folder / "static/ort/ort.wasm").read_bytes()
    assert described["ort_sha256"] == hashlib.sha256(raw).hexdigest()
    bundle = Bundle.load(tiny_bundle)
    (model,) = described["bundles"]
    assert model["name"] == tiny_bundle.name
    assert model["facts"]["name"] == bundle.name
    assert set(model["files"]) == {"bundle.json", *bundle.files}
    for name, file in model["files"].items():
        raw = (site.folder / file["path"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(raw).hexdigest()
        if not name.endswith(".onnx"):
            assert raw == (tiny_bundle / name).read_bytes()
        else:
            stretches = [tuple(stretch) for stretch in file["stretches"]]
            assert (raw, stretches) == halve(bundle.read(name))


def test_what_two_bundles_share_is_published_once(
    tmp_path: Path, tiny_bundle: Path, ort: Path
) -> None:
    other = make_bundle(tmp_path / "other", name="another")
    bundles = [Bundle.load(tiny_bundle), other]
    export_site(tmp_path / "site", bundles=bundles, ort=ort)
    described = json.loads((tmp_path / "site/static/site.json").read_text())
    paths = [{file["path"] for file in model["files"].values()} for model in described["bundles"]]
    assert [model["name"] for model in described["bundles"]] == [tiny_bundle.name, "other"]
    files = {p.relative_to(tmp_path / "site").as_posix() for p in (tmp_path / "site").rglob("*")}
    assert {path for path in files if path.startswith("bundle/0/")} == paths[0]
    contents = [(tmp_path / "site" / path).read_bytes() for path in sorted(paths[0] | paths[1])]
    assert len(set(contents)) == len(contents)


def test_two_bundles_of_one_name_are_refused(tmp_path: Path, tiny_bundle: Path, ort: Path) -> None:
    twice = [Bundle.load(tiny_bundle)] * 2
    with pytest.raises(SiteError, match="another bundle has this name too"):
        export_site(tmp_path / "site", bundles=twice, ort=ort)


def test_another_bundle_makes_another_version(
    site: Site, tmp_path: Path, tiny_bundle: Path, ort: Path
) -> None:
    worker = (site.folder / "worker.js").read_text()
    same = export_site(tmp_path / "same", bundles=[Bundle.load(tiny_bundle)], ort=ort)
    assert (same.folder / "worker.js").read_text() == worker
    other = make_bundle(tmp_path / "other", name="another")
    changed = export_site(tmp_path / "changed", bundles=[other], ort=ort)
    assert (changed.folder / "worker.js").read_text() != worker


def test_a_site_is_replaced_and_nothing_else_is(
    site: Site, tmp_path: Path, tiny_bundle: Path, ort: Path
) -> None:
    left_over = site.folder / "static" / "gone.js"
    left_over.write_text("")
    export_site(site.folder, bundles=[Bundle.load(tiny_bundle)], ort=ort)
    assert not left_over.exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(SiteError, match="something else than a site"):
        export_site(mine, bundles=[Bundle.load(tiny_bundle)], ort=ort)
    assert [path.name for path in mine.iterdir()] == ["thesis.txt"]


def test_a_link_in_place_of_the_site_is_refused(
    tmp_path: Path, tiny_bundle: Path, ort: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SiteError, match="it is a link"):
        export_site(tmp_path / "site", bundles=[Bundle.load(tiny_bundle)], ort=ort)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_onnx_runtime_it_says_how_to_get_it(tmp_path: Path, tiny_bundle: Path) -> None:
    with pytest.raises(SiteError, match="npm ci --prefix page"):
        export_site(tmp_path / "site", bundles=[Bundle.load(tiny_bundle)], ort=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_front_end_that_no_browser_computes_is_refused(tmp_path: Path, ort: Path) -> None:
    bundle = make_bundle(tmp_path / "stft", features=STFT_CONFIG)
    with pytest.raises(SiteError, match="stft"):
        export_site(tmp_path / "site", bundles=[bundle], ort=ort)


@pytest.mark.parametrize("language", pages.LANGUAGES)
def test_what_is_said_without_a_server_replaces_what_is_said_with_one(language: str) -> None:
    usual, local = pages.texts(language), texts(language)
    assert usual.keys() == local.keys()
    changed = {key for key, words in local.items() if usual[key] != words}
    assert changed == {key for key, words in texts("en").items() if pages.texts("en")[key] != words}
    for key in changed:
        places = [set(re.findall(r"\{\w+\}", words[key])) for words in (usual, local)]
        assert places[1] <= places[0]
