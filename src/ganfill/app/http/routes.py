"""The HTTP API: ``POST /v1/complete``, ``GET /v1/models``, ``GET /healthz``, and ``/docs`` and ``/openapi.json``."""

import time
from functools import partial
from typing import Annotated, BinaryIO

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from ganfill.app.errors import Unusable
from ganfill.app.http import problem_details
from ganfill.app.http.body_limit import BodyLimitMiddleware
from ganfill.app.http.docs_page import reference
from ganfill.app.http.schemas import Completed, Health, Models, Options, ServedModel
from ganfill.app.jobs import RequestPool
from ganfill.app.service import CompletionRequest, Service, Watch
from ganfill.images.photo import to_png
from ganfill.version import __version__

DESCRIPTION = "Fills the holes of pictures by searching the latent space of a GAN. Everything stays on this machine."
ROOM = 100_000  # bytes of a body beside its two uploads
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
    """The options of a form, or what is wrong with them."""
    try:
        return Options.model_validate_json(options)
    except ValidationError as error:
        found = [{**each, "loc": ("body", "options", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def build(service: Service) -> FastAPI:
    """The application; the page can be mounted at its root."""
    app = FastAPI(title="ganfill", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    problem_details.install(app)
    app.add_middleware(BodyLimitMiddleware, prefix="/v1/", limit=int(2e6 * service.limits.megabytes) + ROOM)
    desk = RequestPool(service)

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
        accepted = request.headers.get("accept", "")
        as_png = PNG in accepted and "application/json" not in accepted
        return await desk.serve(
            request, partial(answer, service, options, picture.file, mask.file if mask else None, as_png)
        )

    @app.get("/v1/models", summary="The models that are served", responses=problem_details.documented(403, 421, 500))
    async def models() -> Models:
        return Models(models=[ServedModel.of(name, model) for name, model in service.models.items()])

    @app.get("/healthz", summary="Whether the server is alive", responses=problem_details.documented(403, 421, 500))
    async def healthz() -> Health:
        return Health(status="ok", waiting=max(len(service.queue) - 1, 0))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(reference(app.openapi()))

    # Without these a page mounted at the root would answer for them, in its own way.
    for path in ("/v1/{rest:path}", "/healthz", "/docs", "/openapi.json"):
        app.add_api_route(path, _refuse, methods=METHODS, include_in_schema=False)
    return app


def answer(
    service: Service, options: Options, picture: BinaryIO, mask: BinaryIO | None, as_png: bool, watch: Watch
) -> Response:
    """Decodes the uploads, completes, and encodes: all the work of a request.

    Raises:
        Refused: as the service does; or there is a hole besides a mask.
    """
    began = time.monotonic()
    model = options.model or next(iter(service.models))
    if options.hole and mask:
        raise Unusable(f"hole={options.hole} besides a mask: give one of them")
    if options.hole:
        photo = service.decode(picture.read(), "picture")
        hole = service.draw(photo, options.hole, model, options.seed)
    else:
        photo, hole = service.read(picture.read(), mask.read() if mask else None)
    order = CompletionRequest(photo, hole, model, options.search, options.answers, options.seed, options.align)
    filled = service.complete(order, watch)
    if as_png:
        return Response(to_png(filled.pictures[0], photo, hole), media_type=PNG)
    completed = Completed.of(order, filled, time.monotonic() - began)
    return Response(completed.model_dump_json(), media_type="application/json")


async def _refuse(request: Request) -> None:
    """Answers for what is not there, or not with that method."""
    path = request.url.path
    routes = [route for route in request.app.routes if getattr(route, "path", "") == path]
    allowed = {method for route in routes if route.endpoint is not _refuse for method in route.methods}
    if allowed:
        words = ", ".join(sorted(allowed))
        raise HTTPException(405, f"{path} takes {words}", {"Allow": words})
    raise HTTPException(404, f"there is no {path}: see /docs")
