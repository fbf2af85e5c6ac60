"""Answers of several parts, read by another library."""

from __future__ import annotations

import json

import httpx
from web.serving import parts

from genrescope.web.multipart import Multipart
from genrescope.web.problems import ProblemError


def test_what_is_written_is_read() -> None:
    form = Multipart()
    awkward = b"--\r\n\r\nno boundary\r\n--"
    body = form.json({"a": 1}) + form.part(awkward, {"Content-Type": "audio/wav", "X-Peak": "-1.0"})
    body += form.refusal(ProblemError(503, "busy", "Later.", remedy="Wait.")) + form.end
    answer = httpx.Response(200, headers={"content-type": form.media_type}, content=body)
    (_, first), (headers, second), (_, third) = parts(answer)
    assert json.loads(first) == {"a": 1}
    assert (headers["content-type"], headers["x-peak"]) == ("audio/wav", "-1.0")
    assert second == awkward
    error = {"code": "busy", "message": "Later.", "remedy": "Wait."}
    assert json.loads(third) == {"status": 503, "error": error}
    assert Multipart().media_type != form.media_type
