"""The routes under /api/v1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.responses import JSONResponse, Response

from genrescope import __version__
from genrescope.model.explain import AGAINST, DECIDED, INDIFFERENT
from genrescope.web import listening, problems, schemas, uploads
from genrescope.web.encoding import FORMS
from genrescope.web.explaining import Asked, Explaining
from genrescope.web.polishing import PolishedSound
from genrescope.web.service import Service
from genrescope.web.uploads import Upload

Form = Literal["wav", "flac", "opus"]
BundleName = Annotated[
    str | None, Query(description="which of the server's bundles; the first unless one is named")
]

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

_RECORDING = {
    "type": "string",
    "format": "binary",
    "description": "a recording: wav, flac, ogg, opus, mp3, m4a, webm, wma, aiff, au",
}
_UPLOADS: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {"type": "object", "required": ["file"], "properties": {"file": _RECORDING}}
    },
    "application/octet-stream": {"schema": _RECORDING},
}
_ANY_BYTES = "application/octet-stream"
_HERE = "http://localhost:8000/api/v1"

TAGS = [
    {"name": "recordings", "description": "What a recording is, and how it can be better."},
    {"name": "catalogue", "description": "Tracks that sound alike."},
    {"name": "server", "description": "What answers, and whether it is well."},
]


_SOUNDS = {"decided": DECIDED, "indifferent": INDIFFERENT, "against": AGAINST}
"""Names of an explanation's sounds in a query."""


def _described(curl: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    """What FastAPI does not know of an operation: what it takes, and how curl asks for it."""
    extra: dict[str, Any] = {"x-codeSamples": [{"lang": "Shell", "source": curl}]}
    if content is not None:
        extra["requestBody"] = {"required": True, "content": content}
    return extra


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
        description="Takes the recording as a form with a field `file`, or as the whole body: "
        "`curl --data-binary @song.mp3` will do.",
        tags=["recordings"],
        responses={200: {"model": schemas.ClassifyAnswer}, **_WORK_FAULTS},
        openapi_extra=_described(f"curl -F file=@song.mp3 {_HERE}/classify", _UPLOADS),
    )
    async def classify(
        request: Request,
        spectrogram: Annotated[
            bool, Query(description="false leaves the picture, most of the answer, out")
        ] = True,
        live: Annotated[
            bool, Query(description="true, for a first guess: answers only while nobody waits")
        ] = False,
        bundle: BundleName = None,
    ) -> Response:
        engine = service.engine_of(bundle)
        service.listening.check(idle=live)

        def work(upload: Upload, deadline: float, *, quick: bool) -> bytes:
            return engine.classify(upload, deadline=deadline, spectrogram=spectrogram, quick=quick)

        content = await service.listen(request, work)
        return Response(content, media_type="application/json")

    @routes.post(
        "/explain",
        operation_id="explain",
        summary="Say why a recording is called so",
        description="Says which parts of the spectrogram speak for a genre, in cells of bands and "
        "time, in words, and how true that is. With `sound` the answer is that part of the "
        "recording's own sound: what decided, what did not matter, or what spoke against. Each "
        "request computes the explanation anew; `sound=all` brings all of it at once. For "
        "recordings of up to two minutes, or less where the server has little memory.",
        response_description="cells and words, or a sound",
        tags=["recordings"],
        responses={
            200: {
                "model": schemas.ExplainAnswer,
                "content": {
                    kind: {"schema": {"type": "string", "format": "binary"}}
                    for kind in (*(kind for kind, _ in FORMS.values()), "multipart/mixed")
                },
            },
            **_WORK_FAULTS,
        },
        openapi_extra=_described(
            f"curl -F file=@song.mp3 '{_HERE}/explain?sound=decided&format=flac' -o why.flac",
            _UPLOADS,
        ),
    )
    async def explain(
        request: Request,
        genre: Annotated[
            str | None, Query(description="what to explain; the genre that is named if absent")
        ] = None,
        sound: Annotated[
            Literal["decided", "indifferent", "against", "all"] | None,
            Query(
                description="answer with this part of the recording's sound; all: with parts of "
                "multipart/mixed: the first say how far it has come, then come the explanation "
                "and the sounds, in this order"
            ),
        ] = None,
        form: Annotated[Form, Query(alias="format", description="of the sound")] = "wav",
        bundle: BundleName = None,
    ) -> Response:
        engine = service.engine_of(bundle)
        labels = engine.classifier.bundle.labels
        if genre is not None and genre not in labels:
            message = f"there is no genre {genre!r}; there are {', '.join(labels)}"
            raise problems.invalid([{"loc": ("genre",), "msg": message}])
        if sound == "all":
            return Explaining(service, request, engine, Asked(genre, form))
        if sound is None:
            answer = await service.work(
                service.thorough,
                request,
                lambda upload, deadline: engine.explain(upload, genre, deadline=deadline),
            )
            return Response(answer, media_type="application/json")
        part = _SOUNDS[sound]
        content, media_type = await service.work(
            service.thorough,
            request,
            lambda upload, deadline: engine.explained_sound(
                upload, genre, part, form, deadline=deadline
            ),
        )
        return service.download(content, media_type=media_type, headers={})

    @routes.post(
        "/polish",
        operation_id="polish",
        summary="Make a recording more beautiful",
        description="Cleans and masters the recording: rumble and hiss down, gentle equalisation, "
        "loudness to -14 LUFS, a little space. The headers X-Loudness-Before, X-Loudness-After "
        "(LUFS; absent for silence) and X-Peak (dBFS) say what was done.",
        tags=["recordings"],
        response_class=Response,
        responses={
            200: {
                "description": "the polished recording in stereo, as `format` or `Accept` says",
                "content": {
                    media_type: {"schema": {"type": "string", "format": "binary"}}
                    for media_type in (*(kind for kind, _ in FORMS.values()), _ANY_BYTES)
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
        openapi_extra=_described(
            f"curl -F file=@song.mp3 '{_HERE}/polish?format=flac' -o polished.flac", _UPLOADS
        ),
    )
    async def polish(
        request: Request,
        format: Annotated[
            Form | None, Query(description="what to make; by default as `Accept` says, or wav")
        ] = None,
    ) -> Response:
        form, media_type = _form_of(request, format)

        def work(upload: Upload, deadline: float) -> PolishedSound:
            return service.engine.polish(upload, form, deadline=deadline)

        polished = await service.work(service.polishing, request, work)
        return service.download(
            polished.data,
            media_type=media_type or polished.media_type,
            headers={**listening.levels(polished), "Vary": "Accept"},
        )

    @routes.post("/listen", include_in_schema=False)  # for the page: both of the above at once
    async def listen(request: Request, format: Form = "wav", bundle: BundleName = None) -> Response:
        return listening.Listening(service, request, service.engine_of(bundle), form=format)


def _add_similar(routes: APIRouter, service: Service) -> None:
    @routes.post(
        "/similar",
        operation_id="similar",
        summary="Find the nearest tracks of the catalogue",
        description="Takes the embedding of a `classify` answer as JSON, or a recording. How many "
        "tracks it names is said by `n`: in the JSON, in the address, or as a field of the form.",
        response_description="the nearest tracks, nearest first; none for silence",
        tags=["catalogue"],
        responses={200: {"model": schemas.SimilarAnswer}, **_WORK_FAULTS},
        openapi_extra=_described(
            f"curl -F file=@song.mp3 '{_HERE}/similar?n=3'",
            {
                "application/json": {"schema": schemas.SimilarRequest.model_json_schema()},
                **_UPLOADS,
            },
        ),
    )
    async def similar(
        request: Request,
        n: Annotated[
            int | None, Query(ge=1, le=schemas.MOST_SIMILAR, description="how many tracks")
        ] = None,
        bundle: BundleName = None,
    ) -> Response:
        kind, _ = parse_options_header(request.headers.get("content-type"))
        engine = service.engine_of(bundle)
        if kind == b"application/json":
            asked = await _read_json(request, service)
            embedding = np.asarray(asked.embedding, dtype=np.float32)
            n_tracks = n or asked.n
        else:

            def work(
                upload: Upload, deadline: float, *, quick: bool
            ) -> tuple[NDArray[np.float32], int]:
                n_tracks = n or _number(upload)  # first: it costs nothing to refuse
                return engine.embed(upload, deadline=deadline, quick=quick), n_tracks

            embedding, n_tracks = await service.listen(request, work)
        if not np.any(embedding):  # silence resembles nothing
            return JSONResponse({"matches": []})
        try:
            matches = await service.listening.run(lambda _: engine.similar(embedding, n_tracks))
        except ValueError as error:
            raise problems.invalid([{"loc": ("embedding",), "msg": str(error)}]) from None
        return JSONResponse({"matches": matches})


def _number(upload: Upload) -> int:
    """How many tracks the form of a recording asks for."""
    if (text := upload.fields.get("n")) is None:
        return schemas.USUAL_SIMILAR
    if not (text.isdecimal() and len(text) < 9 and 1 <= int(text) <= schemas.MOST_SIMILAR):
        message = f"it must be a whole number from 1 to {schemas.MOST_SIMILAR}"
        raise problems.invalid([{"loc": ("n",), "msg": message}])
    return int(text)


def _form_of(request: Request, named: Form | None) -> tuple[str, str | None]:
    """The form a polished recording is to have, and its media type where another is asked for."""
    if named is not None:
        return named, None
    for part in request.headers.get("accept", "").split(","):
        wanted = part.partition(";")[0].strip().lower()
        if wanted == _ANY_BYTES:
            return "wav", _ANY_BYTES
        for form, (media_type, _) in FORMS.items():
            if wanted == media_type:
                return form, None
    return "wav", None


async def _read_json(request: Request, service: Service) -> schemas.SimilarRequest:
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
        tags=["server"],
        openapi_extra=_described(f"curl {_HERE}/healthz"),
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
        tags=["server"],
        openapi_extra=_described(f"curl {_HERE}/bundle"),
        responses={200: {"model": schemas.BundleAnswer}, **_faults(400, 422)},
    )
    async def describe(
        tracks: Annotated[
            bool, Query(description="true names every track that was learned from")
        ] = False,
        bundle: BundleName = None,
    ) -> Response:
        limits = {
            "upload_bytes": service.limits.upload_bytes,
            "audio_s": service.limits.audio_s,
        }
        facts = service.engine_of(bundle).describe(tracks=tracks)
        bundles = [
            {"name": name, "labels": engine.describe().get("labels", [])}
            for name, engine in service.engines.items()
        ]
        return JSONResponse({**facts, "limits": limits, "bundles": bundles, "version": __version__})

    routes.add_api_route("/bundle", describe, methods=["HEAD"], include_in_schema=False)
