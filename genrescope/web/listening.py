"""The genre of a recording and then its more beautiful version, of one upload."""

from __future__ import annotations

import json

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from genrescope.errors import AudioError
from genrescope.web import problems, uploads
from genrescope.web.downloads import send_in_pieces
from genrescope.web.engine import Engine
from genrescope.web.limits import SharedLease
from genrescope.web.multipart import Multipart
from genrescope.web.polishing import PolishedSound
from genrescope.web.problems import ProblemError
from genrescope.web.service import Service, left
from genrescope.web.uploads import Upload

POLISH_AT_ONCE_S = 60.0
"""A longer recording is polished when its listener asks for it."""


class Listening(Response):
    """Answers with ``multipart/mixed``: what ``classify`` says as soon as it is known, and what
    ``polish`` makes as soon as it is made.

    Each part has a Content-Length. Where there is no polished sound the second part is JSON: an
    ``error`` as the API has it, with its ``status``; code ``long`` for what is longer than
    `POLISH_AT_ONCE_S`.
    """

    def __init__(self, service: Service, request: Request, engine: Engine, *, form: str) -> None:
        self._parts = Multipart()
        super().__init__(
            media_type=self._parts.media_type,
            headers={"X-Accel-Buffering": "no"},  # a proxy must not wait for the second part
        )
        del self.headers["content-length"]
        self._service = service
        self._engine = engine
        self._request = request
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises as `Service.work` does, until the first part is sent."""
        service, request = self._service, self._request
        service.listening.check()
        held = SharedLease(service.lease())
        try:
            upload = await uploads.receive(request, limits=service.limits, lease=held.lease)
            answer = await service.listen_to(request, upload, held, self._classify)
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            first = self._parts.part(answer, {"Content-Type": "application/json"})
            await send({"type": "http.response.body", "body": first, "more_body": True})
            second = await self._second(upload, answer, held)
        finally:
            held.let_go()
        lease = service.lease()
        try:
            lease.take(len(second))
        except ProblemError as problem:
            second = self._parts.refusal(problem)
        try:
            await send_in_pieces(second + self._parts.end, send, service.limits)
        finally:
            lease.release()

    def _classify(self, upload: Upload, deadline: float, *, quick: bool) -> bytes:
        return self._engine.classify(upload, deadline=deadline, quick=quick)

    async def _second(self, upload: Upload, answer: bytes, held: SharedLease) -> bytes:
        if json.loads(answer).get("duration_s", 0) > POLISH_AT_ONCE_S:
            why = "A recording of this length is polished on request."
            return self._parts.refusal(
                ProblemError(413, "long", why, remedy="Ask /api/v1/polish for it.")
            )
        service = self._service
        try:
            polished = await service.polishing.run(
                lambda deadline: self._engine.polish(upload, self._form, deadline=deadline),
                gone=lambda: left(self._request),
                ended=held.also(),
            )
        except ProblemError as problem:
            return self._parts.refusal(problem)
        except AudioError as error:
            return self._parts.refusal(problems.of_audio(error))
        headers = {"Content-Type": polished.media_type, **levels(polished)}
        return self._parts.part(polished.data, headers)


def levels(polished: PolishedSound) -> dict[str, str]:
    """Headers that say what polishing did; a level that silence does not have is absent."""
    levels = {
        "X-Loudness-Before": polished.lufs_before,
        "X-Loudness-After": polished.lufs_after,
        "X-Peak": polished.peak_db,
    }
    return {name: f"{db:.1f}" for name, db in levels.items() if np.isfinite(db)}
