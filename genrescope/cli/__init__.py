"""The command line. Each verb lives in a file of its own and is imported when it is asked for."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from genrescope import __version__
from genrescope.errors import GenrescopeError

VERBS: dict[str, str] = {
    "classify": "genrescope.cli.classify:classify",
    "serve": "genrescope.cli.serve:serve",
    "info": "genrescope.cli.info:info",
    "dataset": "genrescope.cli.dataset:app",
    "train": "genrescope.cli.train:train",
    "evaluate": "genrescope.cli.evaluate:evaluate",
    "reproduce": "genrescope.cli.reproduce:reproduce",
    "export": "genrescope.cli.export:export",
}
"""Verb to ``module:attribute``, a function or a `typer.Typer`; ``--help`` lists them in order."""

TRAIN_MODULES = ("torch", "sklearn", "matplotlib", "onnx", "onnxscript", "librosa")
"""What the extra ``train`` installs, by the names that are imported."""

INTERRUPTED = 130  # what a shell reports for a process that Ctrl-C ended


class Verbs(typer.core.TyperGroup):
    """Finds verbs in `VERBS` and turns what goes wrong into a message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in VERBS:
            return None
        module, attribute = VERBS[cmd_name].split(":")
        verb = getattr(import_module(module), attribute)
        if not isinstance(verb, typer.Typer):
            function, verb = verb, typer.Typer(add_completion=False)
            verb.command(cmd_name)(function)
        command = typer.main.get_command(verb)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GenrescopeError as error:
            message = str(error)
        except ModuleNotFoundError as error:
            if error.name not in TRAIN_MODULES:
                raise
            message = (
                f"{error.name} is not installed; this needs the laboratory: "
                "pip install 'genrescope[train]'"
            )
        except KeyboardInterrupt:
            typer.echo("genrescope: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            if error.errno in (errno.EPIPE, None):
                raise
            place = "the output cannot be written" if error.filename is None else error.filename
            message = f"{place}: {error.strerror}"
        typer.echo(f"genrescope: {message}", err=True)
        raise typer.Exit(1)


class _AsTyped:
    """Hands over what was typed as it is."""

    def coerce(self, value: Any, *_: Any, param: Any, **__: Any) -> Any:
        several = param.multiple or param.nargs == -1
        return () if value is None and several else value


def _spare_pydantic() -> None:
    """Typer, since 0.29, imports pydantic to turn text into text: a fifth of a cold start."""
    core: Any = typer.core
    build = getattr(core, "build_runtime_param", None)
    if build is None:
        return

    def spared(descriptor: Any) -> Any:
        plain = descriptor.annotation in (bool, str, list[str])
        return _AsTyped() if plain else build(descriptor)

    core.build_runtime_param = spared


_spare_pydantic()
app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"genrescope {__version__}")
        raise typer.Exit


@app.callback()
def genrescope(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Hear a recording, name its genre."""


def main() -> None:
    """Entry point of the ``genrescope`` command."""
    for name in ("stdout", "stderr"):  # one that was closed before is None
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    try:
        app(prog_name="genrescope")
    except OSError as error:  # of what is said before any verb runs, such as --version
        if error.errno is None:
            raise
        typer.echo(f"genrescope: the output cannot be written: {error.strerror}", err=True)
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
