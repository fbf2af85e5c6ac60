"""Many clients at once, well-behaved ones and others; every answer is checked."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import numpy as np
from soak.material import Ask, chooser, method

TIMEOUT_S = 120


@dataclass
class Traffic:
    """What the clients saw.

    Attributes:
        seconds: by group, how long each answer took, refusals left out.
        refused: honest 503 with a Retry-After, by group; their clients came back.
        wrong: every answer that was not the right one, in words.
        left: clients that hung up in the middle of an upload, on purpose.
        wall_s: how long it all took.
    """

    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    left: int = 0
    wall_s: float = 0.0

    @property
    def answered(self) -> int:
        return sum(map(len, self.seconds.values()))


def load(url: str, kinds: list[Ask], *, n_requests: int, n_clients: int = 64) -> Traffic:
    """Sends requests, drawn by weight, until so many were answered."""
    return asyncio.run(_load(url, kinds, n_requests, n_clients))


async def _load(url: str, kinds: list[Ask], n_requests: int, n_clients: int) -> Traffic:
    traffic = Traffic()
    tickets = iter(range(n_requests))
    started = time.perf_counter()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=n_clients)
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits) as client:

        async def one_client(seed: int) -> None:
            draw = chooser(kinds, seed=seed)
            for _ in tickets:
                await _one(client, draw(), traffic)

        await asyncio.gather(*(one_client(seed) for seed in range(n_clients)))
    traffic.wall_s = time.perf_counter() - started
    return traffic


async def _one(client: httpx.AsyncClient, ask: Ask, traffic: Traffic) -> None:
    """Asks until it is not refused for being one too many."""
    while True:
        started = time.perf_counter()
        try:
            answer = await _send(client, ask)
        except _Left:
            traffic.left += 1
            return
        except httpx.HTTPError as error:
            traffic.wrong.append(f"{ask.group} {ask.path}: {type(error).__name__}: {error}")
            return
        if answer.status_code != 503:
            break
        wait = answer.headers.get("retry-after", "")
        if not wait.isdecimal() or ask.group == "page":
            traffic.wrong.append(f"{ask.group} {ask.path}: 503 without a time to come back")
            return
        traffic.refused[ask.group] += 1
        await asyncio.sleep(int(wait))
    fault = _fault(ask, answer)
    if fault:
        traffic.wrong.append(f"{ask.group} {ask.path}: {fault}")
    traffic.seconds[ask.group].append(time.perf_counter() - started)


def _fault(ask: Ask, answer: httpx.Response) -> str | None:
    if answer.status_code != ask.status:
        return f"{answer.status_code} instead of {ask.status}: {answer.text[:200]}"
    if ask.code is not None and answer.json()["error"]["code"] != ask.code:
        return f"{answer.json()['error']['code']} instead of {ask.code}"
    if ask.body is not None and answer.content != ask.body:
        return "another answer than that of one thread alone"
    return None


class _Left(Exception):  # noqa: N818  (no error: the client meant to)
    pass


async def _send(client: httpx.AsyncClient, ask: Ask) -> httpx.Response:
    request = client.build_request(method(ask), ask.path, **ask.options)
    if ask.path.startswith("/static/.."):  # the client itself would tidy it away
        request = client.build_request("GET", "/static/%2e%2e/app.py")
    if not (ask.slow_s or ask.leaves):
        return await client.send(request)
    body = request.read()

    async def halting() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        await asyncio.sleep(ask.slow_s or 0.05)
        if ask.leaves:
            raise _Left
        yield body[len(body) // 2 :]

    kind = {"content-type": request.headers["content-type"]}
    return await client.post(ask.path, content=halting(), headers=kind)


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 and the maximum, in ms."""
    ms = 1000 * np.array(seconds)
    quantiles = np.percentile(ms, [50, 95, 99])
    return dict(zip(("p50", "p95", "p99", "max"), [*quantiles.tolist(), ms.max()], strict=True))


async def _released(url: str, give_up_s: float) -> dict[str, float]:
    names = ("in_flight", "listening_jobs", "thorough_jobs", "polishing_jobs", "held_bytes")
    end = time.monotonic() + give_up_s
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
        while True:
            text = (await client.get("/metrics")).text
            found = [re.search(rf"^genrescope_{name} (\S+)$", text, re.M) for name in names]
            held = {n: float(m[1]) for n, m in zip(names, found, strict=True) if m}
            held["in_flight"] -= 1  # the question itself
            if not any(held.values()) or time.monotonic() > end:
                return held
            await asyncio.sleep(0.1)


def released(url: str, *, give_up_s: float = 60.0) -> dict[str, float]:
    """What the server still holds once it has had time to finish: all zero if it is well."""
    return asyncio.run(_released(url, give_up_s))
