"""What goes over the wire: options in, answers out."""

import base64
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ganfill.app.service import CompletionRequest
from ganfill.completion.pipeline import Filled
from ganfill.images.alignment import ALIGNMENTS
from ganfill.images.masks import KINDS
from ganfill.images.photo import to_png
from ganfill.models.model import Model
from ganfill.search.presets import PRESETS

Png = Annotated[str, Field(json_schema_extra={"contentMediaType": "image/png", "contentEncoding": "base64"})]


class Options(BaseModel):
    """How to complete a picture. What the words mean is told by ``ganfill complete --help``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str | None = Field(None, description="a name from /v1/models; the first one unless given")
    hole: str | None = Field(
        None,
        description="a made-up hole instead of a mask; without both, what is fully transparent is missing",
        json_schema_extra={"enum": [*KINDS, None]},
    )
    search: str = Field("standard", json_schema_extra={"enum": list(PRESETS)})
    answers: int = Field(1, ge=1, description="how many, best first")
    seed: int = Field(0, ge=0, lt=2**63, description="of the search, and of a made-up hole")
    align: str = Field("face", description="where the model looks", json_schema_extra={"enum": list(ALIGNMENTS)})


class Answer(BaseModel):
    """A finished picture, equal to the upload outside the hole."""

    picture: Png
    score: float | None = Field(description="smaller is better; null where no search was needed")


class Completed(BaseModel):
    """All that came of a request."""

    model: str
    missing: float = Field(description="share of the picture")
    answers: list[Answer] = Field(description="best first")
    extras: dict[str, Png] = Field(description="mean and uncertainty, of searches that give them")
    remarks: list[str] = Field(description="what one should know")
    seconds: float = Field(description="from the upload to the answer, with the time in line")

    @classmethod
    def of(cls, order: CompletionRequest, filled: Filled, seconds: float) -> "Completed":
        """What the service made of an order."""

        def png(picture: np.ndarray) -> str:
            return base64.b64encode(to_png(picture, order.photo, order.hole)).decode()

        scores = filled.scores or [None] * len(filled.pictures)
        return cls(
            model=order.model,
            missing=float(order.hole.mean()),
            answers=[
                Answer(picture=png(picture), score=score)
                for picture, score in zip(filled.pictures, scores, strict=True)
            ],
            extras={name: png(picture) for name, picture in filled.extras.items()},
            remarks=filled.remarks,
            seconds=round(seconds, 3),
        )


class ServedModel(BaseModel):
    """A model as the options name it."""

    name: str
    resolution: int = Field(description="pixels of a side of what it sees")
    terms: str = Field(description="of its use")
    sha256: str = Field(description="of its content")

    @classmethod
    def of(cls, name: str, model: Model) -> "ServedModel":
        """What there is to say about a model."""
        terms = model.card.get("terms") or "not stated"
        return cls(name=name, resolution=model.resolution, terms=terms, sha256=model.digest)


class Models(BaseModel):
    """All models."""

    models: list[ServedModel]


class Health(BaseModel):
    """How the server is."""

    status: str
    waiting: int = Field(description="pictures in line, without the one that is searched for")
