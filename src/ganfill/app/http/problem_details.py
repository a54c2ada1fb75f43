"""Errors as programs and people read them: problem details (RFC 9457), for every status the API may answer with."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ganfill.app.errors import Busy, Cancelled, Refused
from ganfill.errors import UserError

MEDIA_TYPE = "application/problem+json"
GONE = 499  # nginx's word for it; nobody is there to read it
REASONS = {
    400: "The body is no well-formed multipart form.",
    403: "Another site's page asks.",
    404: "There is no such model.",
    408: "The body came too slowly.",
    413: "More bytes or pixels than are taken; a body that is too large is not read to its end.",
    415: "The body is not multipart/form-data.",
    421: "The header Host names another server.",
    422: "A part or an option is missing or out of its range, or an upload is no picture, or the mask does not fit.",
    500: "The server failed.",
    503: "Too many pictures are waiting.",
    504: "The search was ended because it took too long.",
}


class Problem(BaseModel):
    """What went wrong."""

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what is wrong, with the value and the remedy, in one line")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How these statuses look in the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": REASONS[status], "content": content} for status in statuses
    }
    if 503 in found:
        seconds = {"description": "seconds after which there may be room", "schema": {"type": "integer"}}
        found[503] = found[503] | {"headers": {"Retry-After": seconds}}
    return found


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The response that tells it."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Has ``app`` answer with a problem whatever goes wrong."""

    @app.exception_handler(UserError)
    async def refuse(request: Request, error: UserError) -> Response:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Busy) else None
        return problem(error.status if isinstance(error, Refused) else 422, str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def refuse_values(request: Request, error: RequestValidationError) -> Response:
        told = (f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors())
        return problem(422, "; ".join(told))

    @app.exception_handler(HTTPException)
    async def tell(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(Cancelled)
    async def forget(request: Request, error: Cancelled) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        return problem(500, "the server failed, what it printed says why: please report it")
