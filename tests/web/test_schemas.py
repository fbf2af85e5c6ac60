"""The bodies of the API: their own examples, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from genrescope.web import schemas
from genrescope.web.schemas import MOST_SIMILAR, USUAL_SIMILAR, SimilarRequest

MODELS = {
    name: model
    for name, model in vars(schemas).items()
    if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
}
EXAMPLES = [
    pytest.param(model, example, id=name)
    for name, model in MODELS.items()
    for example in (model.model_config.get("json_schema_extra") or {}).get("examples", ())
]


@pytest.mark.parametrize(("model", "example"), EXAMPLES)
def test_an_example_is_what_it_is_an_example_of(
    model: type[BaseModel], example: dict[str, Any]
) -> None:
    parsed = model.model_validate(example, strict=True).model_dump(exclude_unset=True)
    assert parsed == example


def test_a_search_takes_what_classify_gave_and_as_many_as_are_asked_for() -> None:
    assert SimilarRequest(embedding=[0.5, -1.0]).n == USUAL_SIMILAR
    assert SimilarRequest(embedding=[0.0] * 8192, n=MOST_SIMILAR).n == MOST_SIMILAR


@pytest.mark.parametrize(
    "body",
    [
        '{"embedding": []}',
        '{"embedding": [NaN]}',
        '{"embedding": [Infinity]}',
        '{"embedding": [2e6]}',
        '{"embedding": ["0.5"]}',
        '{"embedding": [true]}',
        '{"embedding": null}',
        '{"embedding": [0.5], "n": 0}',
        '{"embedding": [0.5], "n": 51}',
        '{"embedding": [0.5], "n": 2.5}',
        '{"embedding": [0.5], "more": 1}',
        '{"embedding": [' + "0," * 8192 + "0]}",
        "{}",
        "[]",
    ],
    ids=lambda body: body[:32],
)
def test_what_is_no_search_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        SimilarRequest.model_validate_json(body)


def test_an_answer_without_a_picture_says_so_by_null() -> None:
    field = schemas.ClassifyAnswer.model_fields["spectrogram"]
    assert not field.is_required()
    assert field.default is None
    required = {name for name, f in schemas.ClassifyAnswer.model_fields.items() if f.is_required()}
    assert {"genre", "genres", "timeline", "tempo", "key", "embedding"} <= required
