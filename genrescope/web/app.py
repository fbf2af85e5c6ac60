"""The web app: a page to record and listen on, and the HTTP API under it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from genrescope import __version__
from genrescope.web import api, beside, metrics, pages, problems
from genrescope.web.beside import LocalPage
from genrescope.web.engine import Engine, load_engines
from genrescope.web.limits import Limits
from genrescope.web.middleware.failures import Failures
from genrescope.web.middleware.headers import SecurityHeaders
from genrescope.web.middleware.hosts import LOCAL_HOSTS, Hosts
from genrescope.web.middleware.linger import Linger
from genrescope.web.middleware.origins import Origins
from genrescope.web.middleware.record import Record
from genrescope.web.service import Service
from genrescope.web.site import runs_in_browser

LOOK = ["GET", "HEAD"]

DESCRIPTION = (
    "Send a recording, get its genre: probabilities of every genre, a timeline, the nearest "
    "tracks of a catalogue, and a more beautiful version of the recording. Nothing that is sent "
    "is stored: a recording lives in memory for its request alone. Programs need no key. Pages of "
    "other sites are refused (403 cross_site), by what their browser says in Sec-Fetch-Site or "
    "Origin, unless the server was started with --allow-origin and the name of that site."
)


def create_app(
    *,
    bundle: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    allowed_hosts: Sequence[str] = LOCAL_HOSTS,
    allowed_origins: Sequence[str] = (),
    limits: Limits | None = None,
    engine: Engine | None = None,
    ort: str | os.PathLike[str] | None = None,
) -> FastAPI:
    """The app, ready to be served.

    Args:
        bundle: folder of the bundle, or of several to choose from, the usual one first; None for
            all that ship with the package.
        allowed_hosts: host names it answers to, without port; ``*`` any, ``*.example.org`` every
            name below.
        allowed_origins: other sites, such as ``https://example.org``, whose pages may use the API.
        limits: every bound of the server; None for the usual ones.
        engine: what answers; None loads the bundles.
        ort: folder ``dist`` of the npm package onnxruntime-web, with which the page can listen on
            the visitor's computer as well, by those of the bundles whose front end a browser
            computes; None offers no such thing, and neither is it where there is none of them.

    Raises:
        BundleError: a bundle is missing or damaged, or two have one name.
        SiteError: ONNX Runtime is not in ``ort``.
    """
    limits = limits or Limits()
    if engine is not None:
        engines = {engine.name: engine}
    else:
        folders = [bundle] if isinstance(bundle, str | os.PathLike) else bundle or ()
        engines = load_engines(folders, limits=limits)
    service = Service(engines, limits)
    local = None
    if ort is not None:
        bundles = [engine.classifier.bundle for engine in engines.values()]
        able = [bundle for bundle in bundles if runs_in_browser(bundle)]
        local = LocalPage(able, ort=Path(ort)) if able else None

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
        servers=[{"url": "/", "description": "this server"}],
        openapi_tags=api.TAGS,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        separate_input_output_schemas=False,
        middleware=[  # from the outside in
            Middleware(Record, metrics=service.metrics),
            Middleware(SecurityHeaders),
            Middleware(Linger, limits=limits),
            Middleware(Failures),
            Middleware(Hosts, allowed=allowed_hosts),
            Middleware(Origins, allowed=allowed_origins),
        ],
    )
    app.state.limits = limits
    problems.install(app)
    app.include_router(api.router(service))
    app.include_router(_page_router(app, service, local))
    return app


def _page_router(app: FastAPI, service: Service, local: LocalPage | None) -> APIRouter:
    """The page, its files, the reference and the metrics: what the API's description leaves out."""
    router = APIRouter(include_in_schema=False)
    assets = pages.Assets(beside.ADDRESSES if local else None)
    cached: list[pages.Asset] = []

    @router.api_route("/", methods=LOOK)
    async def page(request: Request) -> Response:
        return assets.page(request)

    @router.api_route("/static/{path:path}", methods=LOOK)
    async def static(path: str, request: Request) -> Response:
        return assets.answer(path, request)

    if local is not None:

        @router.api_route(beside.ROOT + "{path:path}", methods=LOOK)
        def on_this_computer(path: str, request: Request) -> Response:  # in a thread: it may pack
            return local.answer(path, request)

    @router.api_route("/favicon.ico", methods=LOOK)
    async def favicon(request: Request) -> Response:
        return assets.answer("favicon.svg", request)

    @router.api_route("/api/v1/docs", methods=LOOK)
    async def docs(request: Request) -> Response:
        if not cached:
            cached.append(pages.asset(pages.reference(app.openapi()), "text/html; charset=utf-8"))
        return cached[0].answer(request)

    @router.api_route("/docs", methods=LOOK)
    async def short_way() -> Response:
        return RedirectResponse("/api/v1/docs", status_code=308)

    @router.api_route("/metrics", methods=LOOK)
    async def prometheus() -> Response:
        return PlainTextResponse(service.metrics.text(), media_type=metrics.CONTENT_TYPE)

    return router
