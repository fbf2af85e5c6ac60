"""Schemathesis: what the API's own description says, tried against a running server."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from soak.kinds import KINDS, seed_file
from soak.mutate import mutant

REFUSALS = frozenset({503, 504})
"""What a busy server may answer to anything, by its own description."""


@dataclass
class Exploration:
    """What was asked and what was found.

    Attributes:
        statuses: answers by operation, whether the request was a valid one, and status.
        failures: where an answer broke the description, in words.
    """

    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def explore(url: str, *, examples: int, seed: int = 0) -> Exploration:
    """Sends ``examples`` valid and as many invalid requests to each operation."""
    import schemathesis
    from schemathesis import GenerationMode

    files = [seed_file(kind) for kind in KINDS] + [mutant(i)[1] for i in range(len(KINDS))]
    schemathesis.openapi.format("binary", st.one_of(st.binary(), st.sampled_from(files)))
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    found = Exploration()
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not list(operation.body):
                continue  # nothing of it can be wrong
            _try(operation, mode, examples, seed, found)
    return found


def _try(operation: Any, mode: Any, examples: int, seed: int, found: Exploration) -> None:
    from hypothesis import seed as seeded

    checks = _checks()

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(timeout=60)
        found.statuses[operation.label, mode.value, answer.status_code] += 1
        if answer.status_code in REFUSALS:
            return
        try:
            case.validate_response(answer, checks=checks)
        except Exception as failure:
            found.failures.append(f"{operation.label}, {mode.value}: {failure}")

    ask()


def _checks() -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    return [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
    ]
