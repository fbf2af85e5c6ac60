"""An explanation and its three sounds, computed once and sent as they are made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from genrescope.errors import AudioError, GenrescopeError
from genrescope.progress import Progress
from genrescope.web import problems
from genrescope.web.downloads import send_in_pieces
from genrescope.web.engine import Engine
from genrescope.web.multipart import Multipart
from genrescope.web.problems import ProblemError
from genrescope.web.service import Service


class _GivenUpError(GenrescopeError):
    """Nobody waits for this explanation any more."""


@dataclass(frozen=True)
class Asked:
    """What is to be explained, and how its sounds are to be sent.

    Attributes:
        genre: the genre named if None.
        form: of the sounds, one of `genrescope.web.encoding.FORMS`.
    """

    genre: str | None
    form: str


class Explaining(Response):
    """Answers with ``multipart/mixed``: parts of JSON with ``progress`` (0 to 1) while it works,
    the JSON of the explanation, and the three sounds in the order of
    `genrescope.model.explain.PARTS`.

    What goes wrong before the first progress is refused as anywhere; after it, the last part is an
    ``error`` as the API has it, with its ``status``. Work that nobody waits for any more ends at
    the next step.
    """

    def __init__(self, service: Service, request: Request, engine: Engine, asked: Asked) -> None:
        self._form = Multipart()
        super().__init__(
            media_type=self._form.media_type,
            headers={"X-Accel-Buffering": "no"},  # a proxy must not wait for the end
        )
        del self.headers["content-length"]
        self._service, self._request = service, request
        self._engine, self._asked = engine, asked
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises as `Service.work` does, until the first part is sent."""
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[float] = asyncio.Queue()
        given_up = False

        def report(done: float, total: float | None, what: str) -> None:
            if given_up:
                raise _GivenUpError("nobody waits for this explanation any more.")
            loop.call_soon_threadsafe(steps.put_nowait, done / (total or 1))

        async def tell() -> None:
            while True:
                await self._say(send, self._form.json({"progress": round(await steps.get(), 3)}))

        telling = asyncio.ensure_future(tell())
        try:
            parts = await self._explain(report)
        except (ProblemError, AudioError) as error:
            telling.cancel()
            if not self._begun:
                raise
            problem = error if isinstance(error, ProblemError) else problems.of_audio(error)
            parts = self._form.refusal(problem)
        finally:
            given_up = True
            telling.cancel()
        await self._finish(send, parts)

    async def _explain(self, report: Progress) -> bytes:
        service, asked = self._service, self._asked
        answer, sounds = await service.work(
            service.thorough,
            self._request,
            lambda upload, deadline: self._engine.explain_with_sounds(
                upload, asked.genre, asked.form, deadline=deadline, progress=report
            ),
        )
        parts = [self._form.part(answer, {"Content-Type": "application/json"})]
        parts += [self._form.part(data, {"Content-Type": kind}) for data, kind in sounds]
        return b"".join(parts)

    async def _say(self, send: Send, body: bytes) -> None:
        await self._begin(send)
        await send({"type": "http.response.body", "body": body, "more_body": True})

    async def _begin(self, send: Send) -> None:
        if not self._begun:
            self._begun = True
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _finish(self, send: Send, parts: bytes) -> None:
        lease = self._service.lease()
        try:
            lease.take(len(parts))
        except ProblemError as problem:
            if not self._begun:
                raise
            parts = self._form.refusal(problem)
        try:
            await self._begin(send)
            await send_in_pieces(parts + self._form.end, send, self._service.limits)
        finally:
            lease.release()
