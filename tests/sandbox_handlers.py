"""What the tests of the sandbox have done in its processes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from genrescope.errors import AudioTooLongError, GenrescopeError
from genrescope.sandbox_worker import Handler, Job, Reply


def do(greeting: str = "hello") -> Handler:
    def handler(job: Job) -> Reply:
        return TASKS[job.options["task"]](job, greeting)

    return handler


def fails_to_start() -> Handler:
    raise GenrescopeError("there is nothing to work with")


def dies_at_the_start() -> Handler:
    os._exit(3)


def _echo(job: Job, greeting: str) -> Reply:
    data = np.frombuffer(job.file.read(), np.uint8)
    return Reply({"greeting": greeting}, (data, data.astype(np.float32).reshape(1, -1)))


def _process(job: Job, greeting: str) -> Reply:
    return Reply({"pid": os.getpid(), "environment": sorted(os.environ)})


def _crash(job: Job, greeting: str) -> Reply:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    signal.raise_signal(signal.SIGSEGV)
    return Reply({})


def _sleep(job: Job, greeting: str) -> Reply:
    time.sleep(3_600)
    return Reply({})


def _spin(job: Job, greeting: str) -> Reply:
    while True:
        pass


def _grow(job: Job, greeting: str) -> Reply:
    kept = [bytearray(2**20) for _ in range(job.options["mb"])]
    return Reply({"mb": len(kept)})


def _refuse(job: Job, greeting: str) -> Reply:
    raise AudioTooLongError("song", "it is too long", "Cut it.")


def _fault(job: Job, greeting: str) -> Reply:
    raise KeyError("missing")


def _say(job: Job, greeting: str) -> Reply:
    """Write bytes where replies are written, as one could that has taken the process over."""
    pipes = [n for n in range(3, 30) if _is_pipe(n)]
    os.write(pipes[0], job.file.read())
    time.sleep(3_600 if job.options["stay"] else 0)
    os._exit(0)


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def _print(job: Job, greeting: str) -> Reply:
    os.write(1, b"a warning of a library in C")
    print("a line", flush=True)
    return Reply({"printed": True})


def _object(job: Job, greeting: str) -> Reply:
    return Reply({}, (np.array(["text"]),))


def _open_a_file(job: Job, greeting: str) -> Reply:
    return Reply({"text": Path(job.options["path"]).read_text()})


def _write_a_file(job: Job, greeting: str) -> Reply:
    Path(job.options["path"]).write_text("written")
    return Reply({})


def _connect(job: Job, greeting: str) -> Reply:
    socket.create_connection(("127.0.0.1", job.options["port"]), timeout=5).close()
    return Reply({})


def _run_a_program(job: Job, greeting: str) -> Reply:
    subprocess.run([sys.executable, "-c", ""], check=True)
    return Reply({})


def _stop_the_parent(job: Job, greeting: str) -> Reply:
    os.kill(os.getppid(), signal.SIGTERM)
    return Reply({})


def _import(job: Job, greeting: str) -> Reply:
    import wave

    return Reply({"module": wave.__name__})


TASKS: dict[str, Callable[[Job, str], Reply]] = {
    "echo": _echo,
    "process": _process,
    "crash": _crash,
    "sleep": _sleep,
    "spin": _spin,
    "grow": _grow,
    "refuse": _refuse,
    "fault": _fault,
    "say": _say,
    "print": _print,
    "object": _object,
    "open": _open_a_file,
    "write": _write_a_file,
    "connect": _connect,
    "program": _run_a_program,
    "stop": _stop_the_parent,
    "import": _import,
}


def evil_clips(config: dict[str, object] | None) -> Handler:
    """As the real one, but files that begin so crash, stall, or lie, as decoders may be made to."""
    from genrescope.data import isolation

    real = isolation.handler(config)

    def do(job: Job) -> Reply:
        match job.file.read(5):
            case b"crash":
                signal.signal(signal.SIGSEGV, signal.SIG_DFL)
                signal.raise_signal(signal.SIGSEGV)
            case b"stuck":
                time.sleep(3_600)
            case b"fills":
                return Reply({"kept": len(bytearray(2**40))})
            case b"fault":
                raise KeyError("missing")
            case b"lies!":
                return Reply({"duration_s": -1.0, "flags": [], "silent": False})
        job.file.seek(0)
        return real(job)

    return do


# Stands before the real one on the path of the worker, and dies as C code does.
CRASHING_SOUNDFILE = """
import importlib.util, os, signal, sys, time
here = os.path.dirname(__file__)
for folder in sys.path:
    if folder != here and os.path.exists(os.path.join(folder, "soundfile.py")):
        spec = importlib.util.spec_from_file_location("soundfile", folder + "/soundfile.py")
        break
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)
def __getattr__(name):
    return getattr(real, name)
class SoundFile(real.SoundFile):
    def __init__(self, file, *rest, **options):
        if "crash" in os.path.basename(file.name):
            signal.raise_signal(signal.SIGSEGV)
        if "stuck" in os.path.basename(file.name):
            time.sleep(3600)
        super().__init__(file, *rest, **options)
"""
