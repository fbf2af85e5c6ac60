"""The routes under /api/v1."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.responses import JSONResponse, Response

from genrescope import __version__
from genrescope.web import listening, problems, schemas, uploads
from genrescope.web.encoding import FORMS
from genrescope.web.polishing import PolishedSound
from genrescope.web.problems import ProblemError
from genrescope.web.service import Service
from genrescope.web.uploads import Upload

Form = Literal["wav", "flac", "opus"]

_MEANING = {
    400: "broken request, or a host name this server does not answer to",
    403: "sent by another site's page",
    408: "the upload stopped arriving",
    413: "too large, or too many minutes of audio",
    415: "not the media type that is expected",
    422: "no usable recording, or a request of another form",
    500: "a fault of the server",
    503: "too busy; see Retry-After",
    504: "not finished within the time limit",
}


def _faults(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {s: {"model": schemas.ErrorAnswer, "description": _MEANING[s]} for s in statuses}


_WORK_FAULTS = _faults(400, 403, 408, 413, 415, 422, 500, 503, 504)

_FILE_SCHEMA = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "string",
                "format": "binary",
                "description": "a recording: wav, flac, ogg, opus, mp3, m4a, webm, wma, aiff, au",
            }
        },
    }
}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


def router(service: Service) -> APIRouter:
    """All routes, answered by ``service``."""
    routes = APIRouter(prefix="/api/v1", default_response_class=JSONResponse)
    _add_listening(routes, service)
    _add_similar(routes, service)
    _add_facts(routes, service)
    return routes


def _add_listening(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "/classify",
        operation_id="classify",
        summary="Name the genre of a recording",
        response_description="probabilities, timeline, embedding and a picture of the spectrogram",
        responses={200: {"model": schemas.ClassifyAnswer}, **_WORK_FAULTS},
        openapi_extra=_body({"multipart/form-data": _FILE_SCHEMA}),
    )
    async def classify(request: Request, spectrogram: bool = True) -> Response:
        def work(upload: Upload, deadline: float) -> bytes:
            return service.engine.classify(upload, deadline=deadline, spectrogram=spectrogram)

        content = await service.work(service.listening, request, work)
        return Response(content, media_type="application/json")

    @routes.post(
        "/polish",
        operation_id="polish",
        summary="Make a recording more beautiful",
        description="Cleans and masters the recording: rumble and hiss down, gentle equalisation, "
        "loudness to -14 LUFS, a little space. The headers X-Loudness-Before, X-Loudness-After "
        "(LUFS; absent for silence) and X-Peak (dBFS) say what was done.",
        response_class=Response,
        responses={
            200: {
                "description": "the polished recording in stereo, as `format` says",
                "content": {
                    media_type: {"schema": {"type": "string", "format": "binary"}}
                    for media_type, _ in FORMS.values()
                },
                "headers": {
                    name: {"schema": {"type": "string"}, "description": text}
                    for name, text in (
                        ("X-Loudness-Before", "LUFS"),
                        ("X-Loudness-After", "LUFS"),
                        ("X-Peak", "dBFS"),
                    )
                },
            },
            **_WORK_FAULTS,
        },
        openapi_extra=_body({"multipart/form-data": _FILE_SCHEMA}),
    )
    async def polish(request: Request, format: Form = "wav") -> Response:
        def work(upload: Upload, deadline: float) -> PolishedSound:
            return service.engine.polish(upload, format, deadline=deadline)

        polished = await service.work(service.polishing, request, work)
        return service.download(
            polished.data,
            media_type=polished.media_type,
            headers=listening.levels(polished),
        )

    @routes.post("/listen", include_in_schema=False)  # for the page: both of the above at once
    async def listen(request: Request, format: Form = "wav") -> Response:
        return listening.Listening(service, request, form=format)


def _add_similar(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "/similar",
        operation_id="similar",
        summary="Find the nearest tracks of the catalogue",
        description="Takes the embedding of a `classify` answer as JSON, with `n` if five are not "
        "wanted, or a recording alone as multipart/form-data.",
        response_description="the nearest tracks, nearest first; none for silence",
        responses={200: {"model": schemas.SimilarAnswer}, **_WORK_FAULTS},
        openapi_extra=_body(
            {
                "application/json": {"schema": schemas.SimilarRequest.model_json_schema()},
                "multipart/form-data": _FILE_SCHEMA,
            }
        ),
    )
    async def similar(request: Request) -> Response:
        kind, _ = parse_options_header(request.headers.get("content-type"))
        engine, n = service.engine, schemas.SimilarRequest.model_fields["n"].default
        if kind == b"multipart/form-data":
            embedding = await service.work(
                service.listening,
                request,
                lambda upload, deadline: engine.embed(upload, deadline=deadline),
            )
        else:
            asked = await _read_json(request, kind, service)
            embedding, n = np.asarray(asked.embedding, dtype=np.float32), asked.n
        if not np.any(embedding):  # silence resembles nothing
            return JSONResponse({"matches": []})
        try:
            matches = await service.listening.run(lambda _: engine.similar(embedding, n))
        except ValueError as error:
            raise problems.invalid([{"loc": ("embedding",), "msg": str(error)}]) from None
        return JSONResponse({"matches": matches})


async def _read_json(request: Request, kind: bytes, service: Service) -> schemas.SimilarRequest:
    if kind != b"application/json":
        raise ProblemError(
            415,
            "unsupported_media_type",
            "Expected application/json with an embedding, or multipart/form-data with a file.",
            remedy="See /api/v1/docs for what is expected.",
        )
    body = bytearray()
    async for chunk in uploads.paced(request, service.limits):
        body += chunk
        if len(body) > service.limits.json_bytes:
            raise problems.too_large(service.limits.json_bytes)
    try:
        return schemas.SimilarRequest.model_validate_json(bytes(body))
    except ValidationError as error:
        raise problems.invalid(error.errors(include_url=False, include_input=False)) from None


def _add_facts(routes: APIRouter, service: Service) -> None:
    @routes.get(
        "/healthz",
        operation_id="healthz",
        summary="Is the server well?",
        responses={200: {"model": schemas.HealthAnswer}, **_faults(400)},
    )
    async def healthz() -> Response:
        return JSONResponse({"status": "ok", "version": __version__, "bundle": service.engine.name})

    routes.add_api_route("/healthz", healthz, methods=["HEAD"], include_in_schema=False)

    @routes.get(
        "/bundle",
        operation_id="bundle",
        summary="What answers, and how good it is",
        response_description="labels, features, training, metrics and this server's limits",
        responses={200: {"model": schemas.BundleAnswer}, **_faults(400)},
    )
    async def bundle() -> Response:
        limits = {
            "upload_bytes": service.limits.upload_bytes,
            "audio_s": service.limits.audio_s,
        }
        facts = service.engine.describe()
        return JSONResponse({**facts, "limits": limits, "version": __version__})

    routes.add_api_route("/bundle", bundle, methods=["HEAD"], include_in_schema=False)
