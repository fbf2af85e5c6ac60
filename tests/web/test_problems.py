"""Failures, in words that give nothing away."""

from __future__ import annotations

import pytest
from web.serving import StubEngine, post, serve

from genrescope.web.app import create_app
from genrescope.web.middleware.headers import SECURITY_HEADERS
from genrescope.web.uploads import Upload


@pytest.mark.slow
def test_a_fault_of_ours_is_said_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    def fail(upload: Upload) -> bytes:
        raise RuntimeError("the secret of " + upload.name)

    app = create_app(engine=StubEngine(fail))  # type: ignore[arg-type]
    with serve(app) as running:
        answer = post(running.url)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text
    assert all(answer.headers[name] == value for name, value in SECURITY_HEADERS.items())
