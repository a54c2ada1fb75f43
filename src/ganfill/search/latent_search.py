"""The search of a generator's latent space for a picture that agrees with what is known of a damaged one.

A search is a start, a parametrisation, an objective, an optimizer, rounds of successive halving, a selection, and what
follows; each part can be exchanged alone. ``ganfill.search.presets`` puts them together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ganfill.errors import UserError
from ganfill.images.blend import Blend, Paste
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.candidates import Fit
from ganfill.search.initialization import FromPool, expect
from ganfill.search.networks import Networks
from ganfill.search.objective import EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.parametrization import Parametrisation, TypicalSet
from ganfill.search.refinement import Answers, Finish
from ganfill.search.result import Completion, Preview
from ganfill.search.selection import Selection, best, hold_out, masked_l1
from ganfill.search.target import Target

Start = Callable[[Networks, Target, torch.Tensor, int, int], torch.Tensor]


@dataclass(frozen=True)
class LatentSearch:
    """Gradient descent on z from several starts at once, for many pictures at once.

    Args:
        rounds: pairs (candidates, steps). Each round goes on with so many candidates of each picture, the best by the
            selection's scores, for so many steps (successive halving, arXiv 1502.07943).
        start: gives the first round's candidates.
        objective: what is minimised.
        trust: how far what a start of the encoder shows in the hole counts as if it were known; None, or a model without an
            encoder, goes by known pixels alone.
        optimizer: how z moves.
        parametrise: in which coordinates, and where it may be.
        selection: which candidates are the answers.
        refit: steps at the end in which the answers are fitted to all known pixels; the ranking stays.
        finish: what follows for the answers, in this order.
        num_candidates: minimum number of candidates in the first round when several answers are wanted, so that answers
            can be chosen to differ.
        average: gives a mean answer as well, which follows the encoder's expectation of the hole, an average, and is
            finished as the others are; none without an encoder or without trust.
        blend: how an answer becomes a finished picture, unless the caller chooses.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: items (pictures times candidates) on the device at once; bounds the memory.
        fallback: the search to make instead if the model has no encoder.
    """

    rounds: Sequence[tuple[int, int]]
    start: Start = field(default_factory=FromPool)
    objective: Objective = field(default_factory=Objective)
    trust: EncoderPrior | None = None
    optimizer: Adam = field(default_factory=Adam)
    parametrise: Parametrisation = field(default_factory=TypicalSet)
    selection: Selection = field(default_factory=Selection)
    refit: int = 0
    finish: Sequence[Finish] = ()
    num_candidates: int = 1
    average: bool = False
    blend: Blend = field(default_factory=Paste)
    precision: str = "auto"
    batch: int = 256
    fallback: "LatentSearch | None" = None

    @property
    def steps(self) -> int:
        """Steps for each picture, over all rounds and what follows."""
        return self._steps_of_z + sum(finish.passes for finish in self.finish)

    @property
    def _steps_of_z(self) -> int:
        return sum(steps for _, steps in self.rounds) + self.refit

    def __call__(
        self,
        model: Model,
        images: torch.Tensor,
        holes: torch.Tensor,
        answers: int = 1,
        seed: int = 0,
        deterministic: bool = False,
        frames: int = 0,
        advance: Callable[[float], object] | None = None,
        preview: Preview | None = None,
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
            preview: is shown pictures as they are, see ``Recorder``.

        Raises:
            ValueError: images or holes of a wrong shape or type, or ``answers`` below 1.
        """
        if answers < 1:
            raise ValueError(f"answers must be at least 1, not {answers}")
        if model.encoder is None and self.fallback is not None:
            return self.fallback(model, images, holes, answers, seed, deterministic, frames, advance, preview)
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)

        def search(chunk: Target, real: int) -> Completion:
            recorder = Recorder(frames, self.steps, real, advance, preview, chunk)
            return self.search(networks, chunk, answers, seed, recorder)

        return in_chunks(search, target, self._begin_with(answers), self.batch, deterministic)

    def _begin_with(self, answers: int) -> int:
        """Candidates of the first round."""
        return max(self.rounds[0][0], answers, self.num_candidates if answers > 1 else 1)

    def search(self, networks: Networks, target: Target, answers: int, seed: int, recorder: Recorder) -> Completion:
        """Searches for one chunk of pictures."""
        weights = self.objective.weigh(target.known)
        held = hold_out(target, self.selection.held_out, seed)
        seen = target.hide(held)
        expected = self.expect(networks, seen)
        score = partial(
            self.selection.score,
            target=target,
            judged=torch.where(held.sum((1, 2, 3), keepdim=True) > 0, held, target.known),
            expected=expected,
        )
        counts = [max(candidates, answers) for candidates, _ in self.rounds]
        counts[0] = self._begin_with(answers)
        z = self.start(networks, seen, weights * (1 - held), counts[0], seed)
        z = self.parametrise.leave(self.parametrise.enter(z, networks.model.latent), networks.model.latent)
        known = target.known[:, None] > 0
        image = target.image[:, None].expand(-1, counts[0], -1, -1, -1)
        trust = self.trust if networks.model.encoder is not None else None
        if trust is not None:
            with torch.no_grad():
                starts = networks.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2])
            image, weights = torch.where(known, image, starts), weights + trust(target.known)
        fit = Fit(
            *(networks, target, image, self.objective, weights * (1 - held)),
            *(self.parametrise, self.optimizer, z, self._steps_of_z, seed),
        )
        for candidates, (_, steps) in zip(counts, self.rounds, strict=True):
            if candidates < fit.count:
                fit.keep(best(score(fit.pictures()), candidates))
            fit.advance(steps, recorder)
        pictures = fit.pictures()
        scores = score(pictures)
        chosen = self.selection.choose(scores, pictures, target, answers)
        fit.keep(chosen)
        scores = scores.gather(1, chosen)
        rows = torch.arange(len(chosen), device=chosen.device)[:, None]
        pictures = pictures[rows, chosen]
        if self.refit:
            fit.weights = weights
            fit.advance(self.refit, recorder)
            pictures = fit.pictures()
        if not recorder.steps:
            recorder(pictures, scores)
        errors = masked_l1(pictures, target.image, target.known)
        pictures = self._finish(networks, target, weights, held, fit.z, pictures, fit.image, recorder)
        mean = None
        if self.average and trust is not None and expected is not None:
            wanted = torch.where(known, target.image[:, None], expected[:, None])
            mean = self._finish(networks, target, weights, held, fit.z[:, :1], wanted, wanted)[:, 0].cpu()
        order = best(scores, answers)
        finished = answers + (mean is not None)
        return Completion(
            pictures[rows, order].cpu(),
            fit.z[rows, order].cpu(),
            scores[rows, order].cpu(),
            errors[rows, order].cpu(),
            recorder.frames,
            mean,
            passes=fit.passes
            + (counts[0] / 3 if trust else 0)
            + finished * sum(finish.passes for finish in self.finish),
        )

    def expect(self, networks: Networks, seen: Target) -> torch.Tensor | None:
        """What the encoder expects, if there is one and it is asked."""
        asked = self.average or self.selection.agreement
        return expect(networks, seen) if asked and networks.model.encoder is not None else None

    def _finish(
        self,
        networks: Networks,
        target: Target,
        weights: torch.Tensor,
        held: torch.Tensor,
        z: torch.Tensor,
        pictures: torch.Tensor,
        image: torch.Tensor,
        recorder: Recorder | None = None,
    ) -> torch.Tensor:
        """Answers z (N, k, d) after all that follows: what they show before, and shall show, and do (N, k, 3, R, R)."""

        def watch(shown: torch.Tensor, losses: torch.Tensor) -> None:
            if recorder is not None:
                recorder(shown.unflatten(0, (-1, count)), losses.unflatten(0, (-1, count)))

        count = z.shape[1]
        answers = Answers(z.flatten(0, 1), z.flatten(0, 1), 0, pictures.flatten(0, 1))
        wanted = replace(target.repeat(count), image=image.flatten(0, 1))
        weights, held = (x.repeat_interleave(count, 0) for x in (weights, held))
        for finish in self.finish:
            answers = finish(networks, wanted, self.objective, weights, held, answers, watch)
        return answers.pictures.unflatten(0, (-1, count))


def is_number(value: object) -> bool:
    """True for numbers, but not for truth values."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse_unusable(steps: int, starts: int = 1, pool: int = 1, window: int = 1) -> None:
    """Raises ``UserError`` for settings that no search can work with."""
    if steps < 0 or min(starts, pool, window) < 1 or window % 2 == 0:
        raise UserError(
            f"search: steps={steps} starts={starts} pool={pool} window={window} cannot be used: "
            "give steps from 0, starts and pool from 1, and an odd window"
        )
