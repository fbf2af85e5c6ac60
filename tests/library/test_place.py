from __future__ import annotations

from pathlib import Path

import pytest

from genrescope.errors import LibraryError
from genrescope.library import place

MOUNTS = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 21 0:35 / /mnt/nas rw,relatime shared:2 - cifs //nas/music rw
41 40 8:2 / /mnt/nas/local rw - xfs /dev/sdb1 rw
42 21 0:36 / /mnt/my\040share rw - nfs4 host:/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/library.db", "ext4"),
        ("/mnt/nas/library.db", "cifs"),
        ("/mnt/nas/local/library.db", "xfs"),
        ("/mnt/nasty/library.db", "ext4"),
        ("/mnt/my share/library.db", "nfs4"),
    ],
)
def test_the_innermost_mount_decides(path: str, kind: str) -> None:
    assert place.file_system_type(Path(path), MOUNTS) == kind


def test_a_network_drive_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"40 21 0:35 / {tmp_path.resolve()} rw - nfs4 host:/share rw\n")
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    with pytest.raises(LibraryError, match=r"network drive.*--catalogue"):
        place.check_local(tmp_path / "library.db")


def test_a_local_disk_is_not_refused(tmp_path: Path) -> None:
    place.check_local(tmp_path / "library.db")
