"""The web app: a page to record and listen on, and the HTTP API under it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from genrescope import __version__
from genrescope.system import n_cores
from genrescope.web import api, metrics, pages, problems
from genrescope.web.engine import Engine
from genrescope.web.gate import LOCAL_HOSTS, Gate
from genrescope.web.limits import Limits
from genrescope.web.service import Service

LOOK = ["GET", "HEAD"]

DESCRIPTION = (
    "Send a recording, get its genre: probabilities of every genre, a timeline, the nearest "
    "tracks of a catalogue, and a more beautiful version of the recording. Nothing that is sent "
    "is stored: a recording lives in memory for its request alone."
)


def create_app(
    *,
    bundle: str | os.PathLike[str] | None = None,
    max_upload_mb: float = 50,
    max_audio_minutes: float = 15,
    allowed_hosts: Sequence[str] = LOCAL_HOSTS,
    workers: int | None = None,
    limits: Limits | None = None,
    engine: Engine | None = None,
) -> FastAPI:
    """The app, ready to be served.

    Args:
        bundle: folder of the bundle; None for the one that ships with the package.
        max_upload_mb: the most one upload may weigh, MiB.
        max_audio_minutes: the most minutes of audio one upload may hold.
        allowed_hosts: host names it answers to, without port; ``*`` any, ``*.example.org`` every
            name below.
        workers: recordings listened to at once; None for as many as there are cores.
        limits: the other bounds, workers included; None for the usual ones.
        engine: what answers; None loads ``bundle``.

    Raises:
        BundleError: the bundle is missing or damaged.
    """
    upload_bytes, audio_s = int(max_upload_mb * 2**20), max_audio_minutes * 60
    if limits is None:
        limits = Limits(workers=workers or n_cores()).with_room_for(upload_bytes, audio_s)
    limits = replace(limits, upload_bytes=upload_bytes, audio_s=audio_s)
    if engine is None:
        engine = Engine.load(bundle, max_audio_s=limits.audio_s)
    service = Service(engine, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="Genrescope",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    problems.install(app)
    app.add_middleware(Gate, allowed_hosts=allowed_hosts, metrics=service.metrics)
    app.include_router(api.router(service))
    app.include_router(_page_router(app, service))
    return app


def _page_router(app: FastAPI, service: Service) -> APIRouter:
    """The page, its files, the reference and the metrics: what the API's description leaves out."""
    router = APIRouter(include_in_schema=False)
    assets = pages.Assets()
    cached: list[pages.Asset] = []

    @router.api_route("/", methods=LOOK)
    async def page(request: Request) -> Response:
        return assets.answer("index.html", request)

    @router.api_route("/static/{path:path}", methods=LOOK)
    async def static(path: str, request: Request) -> Response:
        return assets.answer(path, request)

    @router.api_route("/favicon.ico", methods=LOOK)
    async def favicon(request: Request) -> Response:
        return assets.answer("favicon.svg", request)

    @router.api_route("/api/v1/docs", methods=LOOK)
    async def docs(request: Request) -> Response:
        if not cached:
            cached.append(pages.asset(pages.reference(app.openapi()), "text/html; charset=utf-8"))
        return cached[0].answer(request)

    @router.api_route("/metrics", methods=LOOK)
    async def prometheus() -> Response:
        return PlainTextResponse(service.metrics.text(), media_type=metrics.CONTENT_TYPE)

    return router
