"""Counts and latencies in Prometheus' text format (exposition format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the latency histogram, s."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """What one server has done since it started (used by the event loop alone)."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.received_bytes = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.gauge("in_flight", "Requests being answered.", lambda: self.in_flight)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Adds a value that is read whenever it is asked for."""
        self._gauges[name] = (text, read)

    def observe(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one finished request. ``route`` is a template, never a client's own path."""
        self._requests[method, route, status] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(BOUNDS_S) + 1))
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[route] += seconds

    def text(self) -> str:
        """Everything counted so far."""
        lines = [
            *_head("requests_total", "counter", "Requests by method, route and status."),
            *(
                f'genrescope_requests_total{{method="{m}",route="{r}",status="{s}"}} {n}'
                for (m, r, s), n in sorted(self._requests.items())
            ),
            *_head("request_seconds", "histogram", "Time from first byte to last, by route."),
        ]
        for route, buckets in sorted(self._buckets.items()):
            lines += _histogram(route, buckets, self._sums[route])
        lines += _head("received_bytes_total", "counter", "Bytes of request bodies received.")
        lines.append(f"genrescope_received_bytes_total {self.received_bytes}")
        for name, (text, read) in self._gauges.items():
            lines += [*_head(name, "gauge", text), f"genrescope_{name} {read():g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP genrescope_{name} {text}", f"# TYPE genrescope_{name} {kind}"]


def _histogram(route: str, buckets: list[int], total_s: float) -> list[str]:
    name, lines, count = "genrescope_request_seconds", [], 0
    for bound, n in zip((*(f"{b:g}" for b in BOUNDS_S), "+Inf"), buckets, strict=True):
        count += n
        lines.append(f'{name}_bucket{{route="{route}",le="{bound}"}} {count}')
    lines.append(f'{name}_sum{{route="{route}"}} {total_s:.6f}')
    lines.append(f'{name}_count{{route="{route}"}} {count}')
    return lines
