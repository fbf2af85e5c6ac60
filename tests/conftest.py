"""Fixtures shared by every room's tests."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.append(str(Path(__file__).parent))  # for the makers beside this file

# A busy machine is no failure: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def _shared(part: str) -> Path:
    path = SHARED / part
    if not path.exists():
        pytest.skip(f"needs the shared data set {part}, which is not here")
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
