"""Refusals and failures as JSON a person understands."""

from __future__ import annotations

import http
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from genrescope.errors import AudioError, AudioTooLongError


class ProblemError(Exception):
    """A request that ends without its result.

    Args:
        status: HTTP status.
        code: short machine-readable name, e.g. ``too_large``.
        message: what is wrong, one sentence.
        remedy: what the user can do about it, one sentence; may be empty.
        headers: more headers of the answer, e.g. ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        remedy: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy
        self.headers = dict(headers or {})
        super().__init__(f"{status} {code}: {message}")

    def response(self) -> JSONResponse:
        """The answer: ``{"error": {"code", "message", "remedy"}}``."""
        error = {"code": self.code, "message": self.message, "remedy": self.remedy}
        return JSONResponse({"error": error}, status_code=self.status, headers=self.headers)


def too_large(limit: int) -> ProblemError:
    """413 for an upload of more than ``limit`` bytes."""
    return ProblemError(
        413,
        "too_large",
        f"This file is larger than {limit / 2**20:g} MB, the most that is accepted.",
        remedy="Send a shorter excerpt, or a compressed format such as mp3, ogg or m4a.",
    )


def busy(retry_after_s: int = 2) -> ProblemError:
    """503: everything that may run at once is running and the queue is full."""
    return ProblemError(
        503,
        "busy",
        "Many recordings are being listened to right now.",
        remedy=f"Try again in {retry_after_s} seconds.",
        headers={"Retry-After": str(retry_after_s)},
    )


def timed_out(limit_s: float) -> ProblemError:
    """504: listening took longer than ``limit_s`` seconds."""
    return ProblemError(
        504,
        "timed_out",
        f"This recording was not finished within {limit_s:g} seconds.",
        remedy="Send a shorter excerpt, or try again later.",
    )


def internal() -> ProblemError:
    """500: a fault of ours; its details go to the log alone."""
    return ProblemError(
        500,
        "internal",
        "Something went wrong on the server. The recording was not kept.",
        remedy="Try again; if it happens with the same file again, please report it.",
    )


def of_audio(error: AudioError) -> ProblemError:
    """413 for a recording that is too long, 422 for one that cannot be used."""
    long = isinstance(error, AudioTooLongError)
    return ProblemError(
        413 if long else 422,
        "too_long" if long else "unusable_audio",
        f"{error.name}: {error.reason}.",
        remedy=error.remedy,
    )


def _of_http(error: HTTPException) -> ProblemError:
    if error.status_code == 404:
        message, remedy = "There is nothing at this address.", "See /api/v1/docs for what there is."
    elif error.status_code == 405:
        message, remedy = "This address does not take this method.", "See /api/v1/docs."
    else:
        message, remedy = f"{http.HTTPStatus(error.status_code).phrase}.", ""
    code = http.HTTPStatus(error.status_code).name.lower()
    return ProblemError(error.status_code, code, message, remedy=remedy, headers=error.headers)


def install(app: FastAPI) -> None:
    """Makes every failure of ``app`` that is raised on purpose a JSON answer."""

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return error.response()

    async def audio(_: Request, error: Exception) -> Response:
        assert isinstance(error, AudioError)
        return of_audio(error).response()

    async def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _of_http(error).response()

    async def validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return invalid(error.errors()).response()

    app.add_exception_handler(ProblemError, problem)
    app.add_exception_handler(AudioError, audio)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation)


def invalid(faults: object) -> ProblemError:
    """422 for a request that does not fit its schema; ``faults`` as pydantic lists them."""
    words = []
    for fault in faults if isinstance(faults, list | tuple) else ():
        where = ".".join(str(part) for part in fault.get("loc", ()))
        words.append(f"{where}: {fault.get('msg', '')}".strip(": "))
    reasons = "; ".join(words[:3]) or "it could not be read"
    return ProblemError(
        422,
        "invalid_request",
        f"The request does not have the expected form ({reasons}).",
        remedy="See /api/v1/docs for what is expected.",
    )
