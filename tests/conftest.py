"""Fixtures shared by every room's tests."""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parent))  # for the makers beside this file

# Processes that test at once share the cores: before any library of numbers is loaded.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no failure: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Where slow tests are left out, those of properties try a quarter of the usual examples."""
    if config.getoption("markexpr") == "not slow":
        settings.load_profile("quick")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many processes as cores, four at most, and one more where browsers are waited for."""
    from genrescope.system import n_cores

    return min(4, n_cores() + (config.getoption("markexpr") != "not slow"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share what is dear to make run in one process."""
    from scheduling import ByGroup

    return ByGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    from scheduling import rank_of

    items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.fixture(scope="session", autouse=True)
def _one_decoder_at_a_time() -> Iterator[None]:
    """What has a process decode for each core has one do so, where a test does not say how many."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("data.build", "data.check", "lab.stores"):
            patch.setattr(f"genrescope.{module}.n_cores", lambda: 1)
        yield


@pytest.fixture
def main_thread() -> None:
    """Skips where tests run in another thread, which no timer interrupts."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("runs in another thread than the main one")


@pytest.fixture
def no_callbacks_of_the_collector() -> Iterator[None]:
    """Hypothesis times Python's garbage collector, and what a timer raises there is lost."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


@pytest.fixture
def crashing_soundfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that start now read files named crash or stuck as a decoder with a hole would."""
    from sandbox_handlers import CRASHING_SOUNDFILE

    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "soundfile.py").write_text(CRASHING_SOUNDFILE)
    monkeypatch.syspath_prepend(tmp_path / "evil")


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def _shared(part: str) -> Path:
    path = SHARED / part
    if not path.exists():
        pytest.skip(f"needs the shared dataset {part}, which is not here")
    return path


@pytest.fixture(scope="session")
def gtzan_dir() -> Path:
    """Folder with mel_u8.npz, tracks.csv, audio.csv and audio/; skips where it is absent."""
    return _shared("gtzan")


@pytest.fixture(scope="session")
def clips_dir() -> Path:
    """Folder of eight freely licensed music files; skips where it is absent."""
    return _shared("clips")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small bundle of ten genres with a catalogue; do not change it."""
    from bundle_maker import make_bundle

    return make_bundle(tmp_path_factory.mktemp("bundle") / "tiny").path
