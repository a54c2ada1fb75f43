"""The HTTP API: ``POST /v1/complete``, ``GET /v1/models``, ``GET /healthz``, and ``/docs`` and ``/openapi.json``."""

import time
from functools import partial
from typing import Annotated, BinaryIO

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from ganfill.app.errors import RequestError
from ganfill.app.http import problem_details
from ganfill.app.http.body_limit import BodyLimitMiddleware
from ganfill.app.http.docs_page import docs_page
from ganfill.app.http.schemas import Completed, Health, Models, Options, ServedModel
from ganfill.app.jobs import RequestPool
from ganfill.app.limits import OnProgress
from ganfill.app.service import CompletionRequest, Service
from ganfill.images.photo import to_png
from ganfill.version import __version__

DESCRIPTION = "Fills the holes of pictures by searching the latent space of a GAN. Everything stays on this machine."
FORM_BYTES = 100_000  # of a body besides its two uploads
PARTS = ("picture", "mask", "options")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
PNG = "image/png"
PICTURE = {PNG: {"schema": {"type": "string", "format": "binary"}}}


def read_options(
    options: Annotated[
        str,
        Form(
            description="options as JSON",
            json_schema_extra={"contentMediaType": "application/json", "contentSchema": Options.model_json_schema()},
        ),
    ] = "{}",
) -> Options:
    """Parses the options of a form."""
    try:
        return Options.model_validate_json(options)
    except ValidationError as error:
        errors = [{**item, "loc": ("body", "options", *item["loc"])} for item in error.errors()]
        raise RequestValidationError(errors) from None


def build(service: Service) -> FastAPI:
    """Builds the application; a page can be mounted at its root."""
    app = FastAPI(title="ganfill", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    problem_details.install(app)
    app.add_middleware(BodyLimitMiddleware, prefix="/v1/", limit=int(2e6 * service.limits.megabytes) + FORM_BYTES)
    pool = RequestPool(service)

    @app.post(
        "/v1/complete",
        summary="Completes a picture",
        response_model=Completed,
        responses={
            200: {"content": PICTURE},
            **problem_details.documented(400, 403, 404, 408, 413, 415, 421, 422, 500, 503, 504),
        },
    )
    async def complete(
        request: Request,
        picture: Annotated[UploadFile, File(description="PNG, JPEG, WebP, BMP, GIF, PPM or TIFF")],
        options: Annotated[Options, Depends(read_options)],
        mask: Annotated[UploadFile | None, File(description="white where pixels are missing, at any scale")] = None,
    ) -> Response:
        """The best answer as a PNG file if the header Accept asks for image/png, otherwise all as JSON."""
        await _check_names(request)
        accept = request.headers.get("accept", "")
        as_png = PNG in accept and "application/json" not in accept
        files = picture.file, mask.file if mask else None
        return await pool.run(request, partial(_complete, service, options, *files, as_png))

    @app.get("/v1/models", summary="The models of the server", responses=problem_details.documented(403, 421, 500))
    async def models() -> Models:
        return Models(models=[ServedModel.of(name, model) for name, model in service.models.items()])

    @app.get("/healthz", summary="The state of the server", responses=problem_details.documented(403, 421, 500))
    async def healthz() -> Health:
        return Health(status="ok", waiting=max(len(service.queue) - 1, 0))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(app.openapi()))

    # Otherwise a page mounted at the root would answer other paths and methods below these.
    for path in ("/v1/{rest:path}", "/healthz", "/docs", "/openapi.json"):
        app.add_api_route(path, _not_found, methods=METHODS, include_in_schema=False)
    return app


def _complete(
    service: Service, options: Options, picture: BinaryIO, mask: BinaryIO | None, as_png: bool, on_progress: OnProgress
) -> Response:
    """Decodes the uploads, completes, and encodes the answers."""
    started = time.monotonic()
    model = options.model or next(iter(service.models))
    if options.hole and mask:
        raise RequestError(f"hole={options.hole} cannot be combined with a mask: send one of them")
    service.check(picture, "picture", options.answers)
    if mask:
        service.check(mask, "mask")
    with service.slot(on_progress) as progress:
        if options.hole:
            photo = service.decode(picture.read(), "picture")
            hole = service.draw_hole(photo, options.hole, model, options.seed)
        else:
            photo, hole = service.decode_with_hole(picture.read(), mask.read() if mask else None)
        words = options.search, options.answers, options.seed, options.align
        request = CompletionRequest(photo, hole, model, *words, box=options.box, drawn=bool(options.hole))
        filled = service.complete(request, progress)
        if as_png:
            return Response(to_png(filled.pictures[0], photo, request.hole), media_type=PNG)
        completed = Completed.of(request, filled, time.monotonic() - started)
    return Response(to_json(completed), media_type="application/json")


async def _check_names(request: Request) -> None:
    """Raises ``RequestError`` if a request has a parameter, or a part of its form has an unknown name."""
    form = await request.form()  # it was parsed before
    wrong = [(name, "a parameter of the address") for name in request.query_params]
    wrong += [(name, "a part of the form") for name in form if name not in PARTS]
    for name, place in wrong:
        remedy = "give it in options" if name in Options.model_fields else f"give {', '.join(PARTS)}"
        raise RequestError(f"{name:.40} is not {place}: {remedy}, see /docs")


async def _not_found(request: Request) -> None:
    """Answers paths that do not exist, and other methods of those that do."""
    path = request.url.path
    routes = [route for route in request.app.routes if getattr(route, "path", "") == path]
    if allowed := {method for route in routes if route.endpoint is not _not_found for method in route.methods}:
        methods = ", ".join(sorted(allowed))
        raise HTTPException(405, f"{path} allows {methods} only", {"Allow": methods})
    raise HTTPException(404, f"{path} does not exist: see /docs")
