"""Request options and responses of the API."""

import base64
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ganfill.app.service import CompletionRequest
from ganfill.completion.hole_report import HoleReport
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import ALIGNMENTS
from ganfill.images.masks import KINDS
from ganfill.images.photo import to_png
from ganfill.models.model import Model
from ganfill.search.presets import PRESETS

Png = Annotated[str, Field(json_schema_extra={"contentMediaType": "image/png", "contentEncoding": "base64"})]
BOX_LETTERS = 400  # of all boxes of a request, because each one takes a search


class Options(BaseModel):
    """Options of a completion, as in ``ganfill complete --help``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="a name from /v1/models; the first one by default")
    hole: str | None = Field(
        None,
        description="a drawn hole instead of a mask; without both, fully transparent pixels are missing",
        json_schema_extra={"enum": [*KINDS, None]},
    )
    search: str = Field("standard", json_schema_extra={"enum": list(PRESETS)})
    answers: int = Field(1, ge=1, description="number of answers")
    seed: int = Field(0, ge=0, lt=2**63, description="of the search, and of a drawn hole")
    align: str = Field("face", description="where the model looks", json_schema_extra={"enum": [*ALIGNMENTS, "box"]})
    box: str | None = Field(
        None,
        max_length=BOX_LETTERS,
        description="for align=box: left,top,right,bottom of a square in the upright picture; several with semicolons",
    )


class Answer(BaseModel):
    """A finished picture, equal to the upload outside the hole."""

    picture: Png
    score: float | None = Field(description="smaller is better; null if no search was needed")


class Completed(BaseModel):
    """The result of a request."""

    model: str
    missing: float = Field(description="share of the picture")
    answers: list[Answer] = Field(description="best first")
    extras: dict[str, Png] = Field(description="mean and uncertainty, from searches that provide them")
    holes: list[HoleReport] = Field(description="how each part of the hole was filled, the largest first")
    remarks: list[str] = Field(description="warnings about the result")
    seconds: float = Field(description="from the upload to the answer, including the time in the queue")

    @classmethod
    def of(cls, request: CompletionRequest, filled: Filled, seconds: float) -> "Completed":
        """Encodes a completed picture."""

        def png(picture: np.ndarray) -> str:
            return base64.b64encode(to_png(picture, request.photo, request.hole)).decode()

        scores = filled.scores or [None] * len(filled.pictures)
        return cls(
            model=request.model,
            missing=float(request.hole.mean()),
            answers=[
                Answer(picture=png(picture), score=score)
                for picture, score in zip(filled.pictures, scores, strict=True)
            ],
            extras={name: png(picture) for name, picture in filled.extras.items()},
            holes=filled.holes,
            remarks=filled.remarks,
            seconds=round(seconds, 3),
        )


class ServedModel(BaseModel):
    """A model that can be chosen in the options."""

    name: str
    resolution: int = Field(description="side of its pictures in pixels")
    terms: str = Field(description="of use")
    sha256: str = Field(description="of the model file")

    @classmethod
    def of(cls, name: str, model: Model) -> "ServedModel":
        """Describes a model."""
        terms = model.card.get("terms") or "not stated"
        return cls(name=name, resolution=model.resolution, terms=terms, sha256=model.digest)


class Models(BaseModel):
    """All models of the server."""

    models: list[ServedModel]


class Health(BaseModel):
    """The state of the server."""

    status: str
    waiting: int = Field(description="requests in the queue, without the one that is being served")
