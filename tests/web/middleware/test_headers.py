"""The headers that every answer carries."""

from __future__ import annotations

import httpx
import pytest

from genrescope.web.middleware.headers import SECURITY_HEADERS


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/nothing", "/api/v1/bundle", "/metrics"])
def test_every_answer_carries_the_security_headers(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    for name, value in SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
