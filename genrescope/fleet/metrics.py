"""How far a run has come, for Prometheus (text exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from genrescope.errors import FleetError
from genrescope.fleet.status import Status, Watch

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(status: Status) -> str:
    """What a scrape gets."""
    gauges: list[tuple[str, str, float]] = [
        ("songs", "Songs in the plan.", status.songs),
        ("songs_done", "Songs that have a row.", status.songs_done),
        ("shards", "Shards in the plan.", status.shards),
        ("shards_done", "Shards that are committed.", status.shards_done),
    ]
    if status.songs_per_s is not None:
        gauges.append(("songs_per_second", "Rate of late.", status.songs_per_s))
    if status.seconds_left is not None:
        gauges.append(("seconds_left", "Time left at that rate.", status.seconds_left))
    lines = []
    for name, help_text, value in gauges:
        lines += [*_head(name, help_text), f"genrescope_fleet_{name} {value:.10g}"]
    lines += _head("errors", "Songs without an answer, by code.")
    lines += [f'genrescope_fleet_errors{{code="{code}"}} {n}' for code, n in status.errors.items()]
    return "\n".join(lines) + "\n"


def _head(name: str, help_text: str) -> list[str]:
    return [
        f"# HELP genrescope_fleet_{name} {help_text}",
        f"# TYPE genrescope_fleet_{name} gauge",
    ]


def server(watch: Watch, port: int) -> ThreadingHTTPServer:
    """A server on this machine alone, which looks at the run at each scrape."""
    turn = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            try:
                with turn:
                    body = text(watch.look()).encode()
            except FleetError as error:
                self.send_error(500, explain=str(error))
                return
            self.send_response(200)
            self.send_header("Content-Type", _CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape every few seconds is no news."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def serve(watch: Watch, port: int, *, tell: Callable[[str], None]) -> None:
    """Answer scrapes until Ctrl-C; ``tell`` is given the URL.

    Raises:
        FleetError: the port is taken.
    """
    try:
        ready = server(watch, port)
    except OSError as error:
        raise FleetError(f"port {port}", f"it cannot be opened ({error.strerror})") from error
    with ready:
        tell(f"http://127.0.0.1:{ready.server_address[1]}/metrics")
        with suppress(KeyboardInterrupt):
            ready.serve_forever()
