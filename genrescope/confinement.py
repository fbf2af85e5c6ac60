"""Takes from this process what a decoder of strangers' files never needs.

Memory beyond what it has, files but Python's own, the network, and other processes: each by what
the system offers, and `confine` says which of them it could. Landlock (Linux 5.13) keeps it from
files, a seccomp filter (Linux 3.17) from system calls; both are asked for by number, since no
library that speaks both is maintained. Where they are absent, limits of POSIX remain.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

if sys.platform != "win32":
    import resource

MEMORY, FILES, NETWORK = "memory", "files", "network"
FENCES = (MEMORY, FILES, NETWORK)
"""What a confined process is kept from; `confine` says which of them hold."""


def confine(*, memory_bytes: int, readable: Iterable[str]) -> tuple[str, ...]:
    """Confine this process for the rest of its life.

    Libraries that it uses must be loaded and warm; more can be loaded from ``readable`` alone.

    Args:
        memory_bytes: address space beyond what it has now.
        readable: folders that stay open for reading.

    Returns:
        those of `FENCES` that hold.
    """
    holds = []
    if sys.platform != "win32":
        if _limit_memory(memory_bytes):
            holds.append(MEMORY)
        _limit(resource.RLIMIT_FSIZE, 0)  # writes nothing to any file
        _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None, use_errno=True)
            _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            with suppress(OSError):
                _landlock(libc, readable)
                holds.append(FILES)
            with suppress(OSError):
                _seccomp(libc)
                holds.append(NETWORK)
    return tuple(holds)


def limit_processor(seconds: float) -> None:
    """Have the system end this process after so much more time of a processor."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + seconds) + 1
        _limit(resource.RLIMIT_CPU, most, lift=True)


if sys.platform != "win32":

    def _limit(kind: int, most: int, *, lift: bool = False) -> bool:
        """Lower a limit; ``lift`` leaves the way up again open."""
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        try:
            resource.setrlimit(kind, (most, hard if lift else most))
        except (OSError, ValueError):
            return False
        return True

    def _limit_memory(beyond: int) -> bool:
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
        except OSError:  # no Linux: macOS does not keep this limit
            return False
        return _limit(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + beyond)


_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

# Landlock, from linux/landlock.h. System calls have the same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = (13, 14, 15, 15, 16)  # how many there are, by version from 1 on
_TCP_RIGHTS = 0b11  # bind and connect, from version 4 on
_SCOPES = 0b11  # abstract sockets and signals, from version 6 on


def _landlock(libc: ctypes.CDLL, readable: Iterable[str]) -> None:
    """Raises OSError where the kernel has no Landlock."""
    version = _checked(libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))
    handled = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", _TCP_RIGHTS)
    if version >= 6:
        attributes += struct.pack("=Q", _SCOPES)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for path in readable:
            with suppress(OSError):  # a folder of the import path need not exist
                folder = os.open(path, os.O_RDONLY | getattr(os, "O_PATH", 0))
                try:
                    is_folder = Path(path).is_dir()
                    rights = _READ_FILE | (_READ_FOLDER if is_folder else 0)
                    rule = struct.pack("=Qi", rights, folder)
                    _checked(libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
                finally:
                    os.close(folder)
        _checked(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


# seccomp, from linux/seccomp.h and linux/filter.h: what is refused, by architecture.
_ARCHITECTURES = {
    "x86_64": (
        0xC000003E,
        {
            **{"socket": 41, "connect": 42, "accept": 43, "bind": 49, "listen": 50},
            **{"socketpair": 53, "accept4": 288, "clone": 56, "fork": 57, "vfork": 58},
            **{"execve": 59, "execveat": 322, "kill": 62, "ptrace": 101, "mount": 165},
            **{"keyctl": 250, "unshare": 272, "perf_event_open": 298, "setns": 308},
            **{"open_by_handle_at": 304, "process_vm_readv": 310, "process_vm_writev": 311},
            **{"bpf": 321, "userfaultfd": 323, "io_uring_setup": 425},
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            **{"socket": 198, "connect": 203, "accept": 202, "bind": 200, "listen": 201},
            **{"socketpair": 199, "accept4": 242, "clone": 220},
            **{"execve": 221, "execveat": 281, "kill": 129, "ptrace": 117, "mount": 40},
            **{"keyctl": 219, "unshare": 97, "perf_event_open": 241, "setns": 268},
            **{"open_by_handle_at": 265, "process_vm_readv": 270, "process_vm_writev": 271},
            **{"bpf": 280, "userfaultfd": 282, "io_uring_setup": 425},
        },
    ),
}
_CLONE3 = 435  # everywhere; refused as unknown, so that a library falls back to clone
_X32 = 0x40000000  # from here on, the calls of another interface of x86_64
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_KILL, _ALLOW, _FAIL = 0x80000000, 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4  # in struct seccomp_data


def _seccomp(libc: ctypes.CDLL) -> None:
    """Raises OSError where the kernel, or this module, knows no filter for the machine."""
    if platform.machine() not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no filter for {platform.machine()}")
    architecture, refused = _ARCHITECTURES[platform.machine()]
    denied = [
        *_unless_then(_JUMP_AT_LEAST, _X32, _FAIL | errno.EPERM),
        *_unless_then(_JUMP_EQUAL, _CLONE3, _FAIL | errno.ENOSYS),
    ]
    for number in refused.values():
        denied += _unless_then(_JUMP_EQUAL, number, _FAIL | errno.EPERM)
    program = b"".join(
        [
            struct.pack("=HBBI", _LOAD, 0, 0, _ARCHITECTURE_AT),
            struct.pack("=HBBI", _JUMP_EQUAL, 1, 0, architecture),
            struct.pack("=HBBI", _RETURN, 0, 0, _KILL),
            struct.pack("=HBBI", _LOAD, 0, 0, _NUMBER_AT),
            *denied,
            struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW),
        ]
    )
    buffer = ctypes.create_string_buffer(program, len(program))
    filter_ = _Filter(len(program) // 8, ctypes.addressof(buffer))
    _checked(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0))


def _unless_then(jump: int, value: int, action: int) -> list[bytes]:
    """Two instructions: take ``action`` where the comparison holds, else go on."""
    return [
        struct.pack("=HBBI", jump, 0, 1, value),
        struct.pack("=HBBI", _RETURN, 0, 0, action),
    ]


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
