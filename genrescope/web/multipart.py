"""Answers of several parts, of which each is sent as soon as it is made (RFC 2046)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from genrescope.web.problems import ProblemError


class Multipart:
    """The form of one ``multipart/mixed`` answer; each part has a Content-Length."""

    def __init__(self) -> None:
        self._boundary = secrets.token_hex(16)
        self.media_type = f"multipart/mixed; boundary={self._boundary}"
        self.end = f"--{self._boundary}--\r\n".encode()

    def part(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """A part with its headers."""
        lines = [f"--{self._boundary}", *(f"{name}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body + b"\r\n"

    def json(self, values: Mapping[str, Any]) -> bytes:
        """A part of JSON."""
        return self.part(json.dumps(values).encode(), {"Content-Type": "application/json"})

    def refusal(self, problem: ProblemError) -> bytes:
        """A part in place of one that failed: an ``error`` as the API has it, and ``status``."""
        error = {"code": problem.code, "message": problem.message, "remedy": problem.remedy}
        return self.json({"status": problem.status, "error": error})
