"""The command line. Each verb lives in a file of its own and is imported when it is asked for."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
from click.exceptions import Exit

from genrescope import __version__
from genrescope.cli.options import Group
from genrescope.cli.terminal import echo, prepare, printable
from genrescope.errors import GenrescopeError

VERBS: dict[str, str] = {
    "classify": "genrescope.cli.classify:classify",
    "explain": "genrescope.cli.explain:explain",
    "dream": "genrescope.cli.dream:dream",
    "mix": "genrescope.cli.mix:mix",
    "serve": "genrescope.cli.serve:serve",
    "web": "genrescope.cli.web:web",
    "library": "genrescope.cli.library:library",
    "fleet": "genrescope.cli.fleet:fleet",
    "info": "genrescope.cli.info:info",
    "dataset": "genrescope.cli.dataset:dataset",
    "train": "genrescope.cli.train:train",
    "evaluate": "genrescope.cli.evaluate:evaluate",
    "heads": "genrescope.cli.heads:heads",
    "reproduce": "genrescope.cli.reproduce:reproduce",
    "export": "genrescope.cli.export:export",
}
"""Verb to ``module:attribute``, a `click.Command`; ``--help`` lists them in this order."""

TRAIN_MODULES = ("torch", "sklearn", "matplotlib", "onnx", "onnxscript", "librosa")
"""What the extra ``train`` installs, by the names that are imported."""

LIBRARY_MODULES = ("mutagen", "pyarrow")
"""What the extra ``library`` installs, by the names that are imported."""

FLEET_MODULES = ("ray", "fsspec", "faiss", "pyarrow")
"""What the extra ``fleet`` installs, by the names that are imported."""

DREAM_MODULES = ("cma",)
"""What the extra ``dream`` installs, by the names that are imported."""

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended
_HELP_COLUMNS = 100  # lines of help are at most so long, and no longer than the terminal


class Verbs(Group):
    """Finds verbs in `VERBS` and turns what goes wrong into a message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, attribute = VERBS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _safe_messages():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _safe_messages():
                return super().invoke(ctx)
        except GenrescopeError as error:
            message = str(error)
        except ModuleNotFoundError as error:
            if ctx.invoked_subcommand == "fleet" and error.name in FLEET_MODULES:
                needs = "many machines: pip install 'genrescope[fleet]'"
            elif error.name in DREAM_MODULES:
                needs = "the search for songs: pip install 'genrescope[dream]'"
            elif error.name in TRAIN_MODULES:
                needs = "the laboratory: pip install 'genrescope[train]'"
            elif error.name in LIBRARY_MODULES:
                needs = "more for collections: pip install 'genrescope[library]'"
            else:
                raise
            message = f"{error.name} is not installed; this needs {needs}"
        except KeyboardInterrupt:
            echo("genrescope: interrupted", err=True)
            raise Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno in (errno.EPIPE, None):
                raise
            place = "the output cannot be written" if error.filename is None else error.filename
            message = f"{place}: {error.strerror}"
        echo(f"genrescope: {message}", err=True)
        raise Exit(1)


@contextlib.contextmanager
def _safe_messages() -> Iterator[None]:
    """Messages about a wrong command quote what was typed, which must not drive the terminal."""
    try:
        yield
    except click.UsageError as error:
        message = error.format_message()
        safe = "\n".join(printable(line) for line in message.split("\n"))
        if safe == message:
            raise
        raise click.UsageError(safe, ctx=error.ctx) from None


@click.group(
    "genrescope",
    cls=Verbs,
    subcommand_metavar="VERB ...",
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": _HELP_COLUMNS,
        "show_default": True,
    },
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version.")
def app() -> None:
    """Hear a recording, name its genre.

    To have bash complete verbs and options, put this line into ~/.bashrc (for zsh the same with
    zsh_source, into ~/.zshrc):

    \b
        eval "$(_GENRESCOPE_COMPLETE=bash_source genrescope)"
    """


def main() -> None:
    """Entry point of the ``genrescope`` command."""
    prepare()
    try:
        app(prog_name="genrescope")
    except OSError as error:  # of what is printed before any verb runs, such as --version
        if error.errno is None:
            raise
        echo(f"genrescope: the output cannot be written: {error.strerror}", err=True)
        os._exit(1)
    except SystemExit as stop:
        if stop.code in (None, 0):
            if "torch" in sys.modules:  # training libraries tidy up behind themselves
                raise
            sys.stdout.flush()  # a failure here leaves the usual way, with its message
        # Threads may still be decoding, and what cannot be written would fail once more on the
        # way out; neither is worth waiting for. Taking all modules down costs a tenth of a cold
        # start.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(stop.code if isinstance(stop.code, int) else int(stop.code is not None))
