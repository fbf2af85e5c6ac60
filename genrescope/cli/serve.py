"""``genrescope serve``"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
import socket
from dataclasses import replace
from pathlib import Path

import click

from genrescope.cli.options import PATH, Number
from genrescope.cli.terminal import echo
from genrescope.errors import GenrescopeError


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="Address to listen at; 0.0.0.0 for every network.",
)
@click.option(
    "--port",
    type=click.IntRange(min=0, max=65535),
    default=8000,
    metavar="PORT",
    help="Port to listen at; 0 takes any free one.",
)
@click.option(
    "--bundle",
    multiple=True,
    type=click.Path(),
    metavar="FOLDER",
    help="Folder of a model, in place of those that ship; may be repeated, to offer a choice.",
)
@click.option(
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    help="Host name to answer to, such as music.example.org; may be repeated.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="URL",
    help="Another site whose pages may use the API, such as https://example.org; may be repeated.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1, max=256),
    metavar="N",
    help="Recordings classified at once; as many as there are cores if absent.",
)
@click.option(
    "--max-upload-mb",
    type=Number(min=0.1, max=2000),
    default=50,
    metavar="MIB",
    help="Largest upload that is taken, in MiB.",
)
@click.option(
    "--max-audio-minutes",
    type=Number(min=0.1, max=1440),
    default=15,
    metavar="MINUTES",
    help="Longest upload that is taken, in minutes.",
)
@click.option(
    "--memory-mb",
    type=Number(min=256),
    metavar="MIB",
    help="Memory that it may take in all; what the container gives if absent. With less than 4 GB, "
    "long recordings are classified and not polished.",
)
@click.option(
    "--ort",
    type=PATH,
    metavar="FOLDER",
    help="Folder dist of the npm package onnxruntime-web; where `npm ci --prefix page` puts it if "
    "absent. Where it is, the page offers to listen on the visitor's computer as well.",
)
def serve(
    host: str,
    port: int,
    bundle: tuple[str, ...],
    allowed_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    workers: int | None,
    max_upload_mb: float,
    max_audio_minutes: float,
    memory_mb: float | None,
    ort: Path | None,
) -> None:
    """Serve the page and the HTTP API.

    Ctrl-C stops it; requests under way are finished first. Each request is logged to stderr as
    one JSON object, without anything of the recording.
    """
    import uvicorn

    from genrescope.system import (
        give_back_freed_memory,
        memory_limit,
        n_cores,
        room_for_files,
    )
    from genrescope.web.app import create_app
    from genrescope.web.connections import (
        BACKLOG,
        OTHER_FILES,
        connections_within,
        server_config,
    )
    from genrescope.web.limits import Limits
    from genrescope.web.middleware.hosts import LOCAL_HOSTS
    from genrescope.web.site import ORT

    give_back_freed_memory()
    names = allowed_host or ([] if _is_local(host) else ["*"])
    limits = Limits(
        upload_bytes=int(max_upload_mb * 2**20),
        audio_s=max_audio_minutes * 60,
        workers=workers or n_cores(),
        memory_bytes=memory_limit() if memory_mb is None else int(memory_mb * 2**20),
    )
    allowed = room_for_files(limits.connections + OTHER_FILES)
    limits = replace(limits, connections=connections_within(allowed, limits.connections))
    with _listening(host, port, BACKLOG) as listener:
        app = create_app(
            bundle=bundle,
            limits=limits,
            allowed_hosts=[*LOCAL_HOSTS, *names],
            allowed_origins=allow_origin,
            ort=ort or (ORT if ORT.is_dir() else None),
        )
        port = listener.getsockname()[1]
        echo(f"Genrescope: http://{_shown(host)}:{port}  (Ctrl-C stops it)")
        if not _is_local(host):
            echo("Browsers give a page the microphone only at localhost or over HTTPS.")
        _log_requests()
        config = server_config(app, limits, log_level="error")
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has stopped in good order by then
            uvicorn.Server(config).run(sockets=[listener])


def _log_requests() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("genrescope.web")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _listening(host: str, port: int, backlog: int) -> socket.socket:
    """A bound socket: whether the port is free is known before the model is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no name of a host"
        raise GenrescopeError(f"{host} is no address of this machine ({why})") from error
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would share a port that is taken
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise GenrescopeError(
            f"cannot listen at {_shown(host)}:{port} ({error.strerror}); "
            "choose another with --port or --host"
        ) from error
    return listener


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
