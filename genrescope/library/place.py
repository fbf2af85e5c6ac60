"""Where the catalogue lies, and where it must not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from genrescope.errors import LibraryError

NETWORK_TYPES = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ncpfs", "9p", "ceph"),
        *("davfs", "fuse.sshfs", "fuse.rclone", "fuse.davfs2", "fuse.glusterfs", "glusterfs"),
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.curlftpfs", "lustre", "gfs2", "ocfs2"),
    }
)
"""Types of file systems whose locks and shared memory SQLite cannot rely on."""

_MOUNTS = Path("/proc/self/mountinfo")


def default_catalogue() -> Path:
    """The catalogue's file in the platform's folder for data of programs."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "genrescope" / "library.db"


def check_local(path: Path) -> None:
    """Refuse a network drive, where SQLite's log of writes destroys what it should protect.

    Known on Linux and Windows; elsewhere nothing is refused.

    Raises:
        LibraryError: the file lies, or would lie, on one.
    """
    if sys.platform == "win32":
        import ctypes

        drive = Path(path.absolute().anchor)
        remote = ctypes.windll.kernel32.GetDriveTypeW(str(drive)) == 4
    else:
        mounts = _MOUNTS.read_text(errors="surrogateescape") if _MOUNTS.is_file() else ""
        remote = file_system_type(path.parent.resolve() / path.name, mounts) in NETWORK_TYPES
    if remote:
        raise LibraryError(
            str(path),
            "it lies on a network drive, where a database is not safe",
            "Name a file on a disk of this machine with --catalogue; the music may be anywhere.",
        )


def file_system_type(path: Path, mountinfo: str) -> str:
    """The type of the file system that holds an absolute path; empty where none is known.

    Args:
        mountinfo: text in the form of Linux's ``/proc/self/mountinfo`` (see proc(5)).
    """
    found, depth = "", -1
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        parts = fields.split(" ")
        if len(parts) < 5 or not rest:
            continue
        point = Path(_unescaped(parts[4]))
        # A later mount on the same folder hides the earlier one.
        if (path == point or point in path.parents) and len(point.parts) >= depth:
            found, depth = rest.split(" ")[0], len(point.parts)
    return found


def _unescaped(text: str) -> str:
    for code, char in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, char)
    return text
