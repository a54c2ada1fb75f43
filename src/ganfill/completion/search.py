"""The search of a generator's latent space for a picture that agrees with what is known of a damaged one.

A search is a start, an objective, an optimizer, a place where z may be, and rounds of successive halving; each part can
be exchanged alone. ``ganfill.completion.presets`` puts them together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ganfill.completion.blend import Blend, Paste
from ganfill.completion.fit import Fit
from ganfill.completion.networks import Networks
from ganfill.completion.objective import Objective
from ganfill.completion.optimize import Adam
from ganfill.completion.parametrise import Latent, typical
from ganfill.completion.select import best, hold_out, judge
from ganfill.completion.start import FromPool
from ganfill.completion.target import Target

if TYPE_CHECKING:
    from ganfill.modelfile import Model

Start = Callable[[Networks, Target, torch.Tensor, int, int], torch.Tensor]

DETERMINISTIC_BATCH = 16


@dataclass(frozen=True)
class Completion:
    """The answers of a search, best first, on the CPU.

    Attributes:
        pictures: what the generator shows, float (N, answers, 3, R, R) in [-1, 1]; not yet blended.
        latents: their z, (N, answers, d).
        scores: mean absolute error on known pixels that were held out of the fit (all known ones where none were),
            (N, answers), in units of [-1, 1]; smaller is better.
        frames: the leading candidate at moments of the search, each float (N, 3, R, R).
        mean: of the answers' distribution at every pixel, float (N, 3, R, R), for searches that estimate it: closest to
            the truth in squares, but nothing that the generator would show.
        interval: the central 90 % of that distribution at every pixel, two floats (N, 3, R, R).
        passes: forward and backward runs through the generator for each picture; a forward run alone counts a third.
    """

    pictures: torch.Tensor
    latents: torch.Tensor
    scores: torch.Tensor
    frames: list[torch.Tensor] = field(default_factory=list)
    mean: torch.Tensor | None = None
    interval: tuple[torch.Tensor, torch.Tensor] | None = None
    passes: float = 0.0


@dataclass(frozen=True)
class LatentSearch:
    """Gradient descent on z from several starts at once, for many pictures at once.

    Args:
        rounds: pairs (candidates, steps). Each round goes on with so many candidates of each picture, the best on
            held-out pixels, for so many steps (successive halving, arXiv 1502.07943).
        start: gives the first round's candidates.
        objective: what is minimised.
        optimizer: how z moves.
        project: where z may be.
        held_out: share of the known pixels that judge the candidates instead of being fitted; 0 judges by all.
        refit: steps at the end in which the answers are fitted to all known pixels; the ranking stays.
        blend: how an answer becomes a finished picture, unless the caller chooses.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: items (pictures times candidates) on the device at once; bounds the memory.
    """

    rounds: Sequence[tuple[int, int]]
    start: Start = field(default_factory=FromPool)
    objective: Objective = field(default_factory=Objective)
    optimizer: Adam = field(default_factory=Adam)
    project: Callable[[torch.Tensor, Latent], torch.Tensor] = typical
    held_out: float = 0.0
    refit: int = 0
    blend: Blend = field(default_factory=Paste)
    precision: str = "auto"
    batch: int = 256

    @property
    def steps(self) -> int:
        """Steps for each picture, over all rounds."""
        return sum(steps for _, steps in self.rounds) + self.refit

    def __call__(
        self,
        model: "Model",
        images: torch.Tensor,
        holes: torch.Tensor,
        answers: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        frames: int = 0,
        advance: Callable[[float], object] | None = None,
    ) -> Completion:
        """Searches for every picture.

        Args:
            model: on the device where the search shall run.
            images: float (N, 3, R, R) in [-1, 1]; the hole's pixels may be anything.
            holes: bool (N, 1, R, R), True where a pixel is missing.
            answers: for each picture.
            seed: of starts, noise and held-out pixels; each picture mixes in its own known pixels.
            deterministic: gives every picture the same bits whatever its batch mates, also on a GPU, by chunks of one
                fixed size; a single picture then costs as much as a full chunk.
            frames: moments of the search to keep.
            advance: is told the pictures finished since the last call, in fractions.

        Raises:
            ValueError: images or holes of a wrong shape or type, or ``answers`` below 1.
        """
        if answers < 1:
            raise ValueError(f"answers must be at least 1, not {answers}")
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)
        batch = min(self.batch, DETERMINISTIC_BATCH) if deterministic else self.batch
        size = _power_of_two(batch // max(self.rounds[0][0], answers))
        parts = []
        for begin in range(0, len(target), size):
            real = min(size, len(target) - begin)
            chunk = target.pick(begin, begin + (size if deterministic else real))
            found = self._search(networks, chunk, answers, seed, _Recorder(frames, self.steps, real, advance))
            parts.append((real, found))
        return _join(parts)

    def _search(self, networks: Networks, target: Target, answers: int, seed: int, recorder: "_Recorder") -> Completion:
        weights = self.objective.weigh(target.known)
        held = hold_out(target, self.held_out, seed)
        judged = torch.where(held.sum((1, 2, 3), keepdim=True) > 0, held, target.known)
        counts = [max(candidates, answers) for candidates, _ in self.rounds]
        z = self.start(networks, target, weights * (1 - held), counts[0], seed)
        fit = Fit(
            networks, target, self.objective, weights * (1 - held), self.project, self.optimizer, z, self.steps, seed
        )
        for count, (_, steps) in zip(counts, self.rounds, strict=True):
            if count < fit.count:
                fit.keep(best(judge(fit.pictures(), target.image, judged), count))
            fit.advance(steps, recorder)
        scores = judge(fit.pictures(), target.image, judged)
        chosen = best(scores, answers)
        fit.keep(chosen)
        fit.weights = weights
        fit.advance(self.refit, recorder)
        return Completion(fit.pictures().cpu(), fit.z.cpu(), scores.gather(1, chosen).cpu(), recorder.frames)


class _Recorder:
    """Watches a fit: keeps frames, reports progress."""

    def __init__(self, count: int, steps: int, pictures: int, advance: Callable[[float], object] | None) -> None:
        self.wanted = {round(i * max(steps - 1, 0) / max(count - 1, 1)) for i in range(count)}
        self.step, self.share, self.advance = 0, pictures / max(steps, 1), advance
        self.frames: list[torch.Tensor] = []

    def __call__(self, pictures: torch.Tensor, losses: torch.Tensor) -> None:
        if self.step in self.wanted:
            leading = losses.argmin(1)
            self.frames.append(pictures[torch.arange(len(leading)), leading].cpu())
        if self.advance is not None:
            self.advance(self.share)
        self.step += 1


def _power_of_two(n: int) -> int:
    """The largest power of two that is at most n, and at least 1."""
    return 1 << (max(n, 1).bit_length() - 1)


def _join(parts: list[tuple[int, Completion]]) -> Completion:
    """Puts chunks together, without the pictures that only filled them up."""
    if not parts:
        raise ValueError("there are no pictures to complete")
    pictures, latents, scores = (
        torch.cat([getattr(found, name)[:real] for real, found in parts]) for name in ("pictures", "latents", "scores")
    )
    moments = zip(*([frame[:real] for frame in found.frames] for real, found in parts), strict=True)
    return Completion(pictures, latents, scores, [torch.cat(moment) for moment in moments])
