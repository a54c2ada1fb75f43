"""Error responses as problem details (RFC 9457), for every status of the API."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ganfill.app.errors import Cancelled, QueueFull, RequestError
from ganfill.errors import UserError

MEDIA_TYPE = "application/problem+json"
CLIENT_CLOSED_REQUEST = 499  # nginx's status; no client reads it
REASONS = {
    400: "The body is not a well-formed multipart form.",
    403: "The page of another site sent the request.",
    404: "The model is unknown.",
    408: "The body arrived too slowly.",
    413: "An upload or all answers have too many bytes or pixels; the rest of a body that is too large is not read.",
    415: "The body is not multipart/form-data.",
    421: "The header Host names another server.",
    422: "A part or an option is missing, unknown or out of range, an upload is not a picture, or the mask does not fit.",
    500: "The server failed.",
    503: "Too many requests are waiting.",
    504: "The request took too long and was stopped.",
}


class Problem(BaseModel):
    """An error."""

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="the problem, with the value and the remedy, in one line")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Returns the responses of these statuses for the OpenAPI document."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": REASONS[status], "content": content} for status in statuses
    }
    if 503 in responses:
        seconds = {"description": "seconds after which to try again", "schema": {"type": "integer"}}
        responses[503]["headers"] = {"Retry-After": seconds}
    return responses


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Returns the response for an error."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes an application answer every error with a problem."""

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> Response:
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, QueueFull) else None
        return problem(error.status if isinstance(error, RequestError) else 422, str(error), headers)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> Response:
        messages = (f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
        return problem(422, "; ".join(messages))

    @app.exception_handler(HTTPException)
    async def http_exception(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(Cancelled)
    async def cancelled(request: Request, error: Cancelled) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(Exception)
    async def server_error(request: Request, error: Exception) -> Response:
        return problem(500, "the server failed, see its output for the reason: please report it")
