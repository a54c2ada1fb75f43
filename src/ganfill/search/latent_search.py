"""Search of a generator's latent space for pictures that agree with the known pixels of damaged ones.

A search has a start, an objective, an optimizer, rounds of successive halving, a selection and a refinement. Each part can
be exchanged alone; ``ganfill.search.presets`` combines them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ganfill.errors import UserError
from ganfill.images.blend import Blend, Paste
from ganfill.models.layers import can_split
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.candidates import Candidates, OnStep
from ganfill.search.initialization import PoolStart, expected_pictures
from ganfill.search.networks import Networks
from ganfill.search.objective import EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import DEFAULTS, Completion, SearchOptions
from ganfill.search.selection import Selection, hold_out, lowest, masked_l1, take
from ganfill.search.target import Target

Start = Callable[[Networks, Target, torch.Tensor, int, int], torch.Tensor]


@dataclass(frozen=True)
class LatentSearch:
    """Gradient descent on z from several starts for each picture.

    Args:
        rounds: pairs (candidates, steps). Each round keeps the best candidates of each picture, by the selection's scores,
            and optimizes them (successive halving, arXiv 1502.07943).
        start: finds the candidates of the first round.
        objective: the loss.
        encoder_prior: ties an answer to its start inside the hole; None, or a model without an encoder, fits known pixels
            only.
        optimizer: moves z.
        shell_width: width of the shell that z of a normal prior stays in, see ``Normal.project``.
        selection: chooses the answers among the candidates.
        refit: number of final steps that fit the answers to all known pixels, held-out ones included; the ranking stays.
        refinement: optimizes features of the answers after z; None for none. Left out for a generator that cannot be split.
        num_candidates: least number of candidates in the first round when several answers are asked for.
        average: also returns a mean answer, which follows the pictures that the encoder expects. Needs an encoder and
            ``encoder_prior``.
        blend: makes finished pictures of the answers.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates on the device at once; the candidates of one picture stay together.
        fallback: replaces this search for a model without an encoder.
    """

    rounds: Sequence[tuple[int, int]]
    start: Start = field(default_factory=PoolStart)
    objective: Objective = field(default_factory=Objective)
    encoder_prior: EncoderPrior | None = None
    optimizer: Adam = field(default_factory=Adam)
    shell_width: float = 1.5
    selection: Selection = field(default_factory=Selection)
    refit: int = 0
    refinement: FeatureOptimization | None = None
    num_candidates: int = 1
    average: bool = False
    blend: Blend = field(default_factory=Paste)
    precision: str = "auto"
    batch: int = 256
    fallback: "LatentSearch | None" = None

    @property
    def steps(self) -> int:
        """Number of steps for each picture, over all rounds and the refinement."""
        return self.z_steps + self._refinement_steps

    @property
    def z_steps(self) -> int:
        """Number of steps of ``optimize`` for each picture."""
        return sum(steps for _, steps in self.rounds) + self.refit

    @property
    def _refinement_steps(self) -> int:
        return self.refinement.steps if self.refinement is not None else 0

    def counts(self, answers: int) -> list[int]:
        """Returns the number of candidates of each round."""
        first, *others = (max(candidates, answers) for candidates, _ in self.rounds)
        return [max(first, self.num_candidates if answers > 1 else 1), *others]

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Searches for every picture, see ``Search``."""
        if model.encoder is None and self.fallback is not None:
            return self.fallback(model, images, holes, options)
        if self.refinement is not None and self.refinement.prior is None and not can_split(model.generator):
            return replace(self, refinement=None)(model, images, holes, options)
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)
        search = partial(self.search, networks, options)
        return in_chunks(search, target, options, self.steps, self.counts(options.answers)[0], self.batch)

    def search(self, networks: Networks, options: SearchOptions, target: Target, recorder: Recorder) -> Completion:
        """Completes one chunk of pictures."""
        answers, scores, expected = self.optimize(networks, options, target, recorder)
        z, pictures, weights, mean = answers.z, answers.pictures(), answers.weights, None
        if not recorder.steps:
            recorder(pictures, scores)
        errors = masked_l1(pictures, target.image, target.known)
        pictures = self._refine(networks, z, pictures, answers.image, weights, recorder)
        pictures = networks.inpaint(target, pictures)
        if self.average and self.encoder_prior is not None and expected is not None:
            mean = self._mean_answer(networks, target, z[:, :1], expected, weights).cpu()
        return Completion(
            pictures.cpu(),
            z.cpu(),
            scores.cpu(),
            errors.cpu(),
            recorder.frames,
            mean,
            passes=answers.passes + (options.answers + (mean is not None)) * self._refinement_steps,
            inpainted=True,
        )

    def optimize(
        self, networks: Networks, options: SearchOptions, target: Target, recorder: Recorder
    ) -> tuple[Candidates, torch.Tensor, torch.Tensor | None]:
        """Optimizes z for one chunk of N pictures.

        Returns:
            The answers, best first; their scores (N, answers); and the pictures (N, 3, R, R) that the encoder expects, or
            None if they are not needed or the model has no encoder.
        """
        held_out = hold_out(target, self.selection.held_out, options.seed)
        visible = target.hide(held_out)
        expected, compared = None, self.selection.agreement and self.counts(options.answers)[0] > 1
        if networks.model.encoder is not None and (self.average or compared):
            expected = expected_pictures(networks, visible)
        score = partial(
            self.selection.score,
            target=target,
            weights=torch.where(held_out.sum((1, 2, 3), keepdim=True) > 0, held_out, target.known),
            expected=expected if compared else None,
        )
        candidates = self._begin(networks, options, target, visible)
        weights = candidates.weights
        candidates.weights = weights * (1 - held_out)
        for count, (_, steps) in zip(self.counts(options.answers), self.rounds, strict=True):
            if count < candidates.count:
                candidates.keep(lowest(score(candidates.pictures()), count))
            candidates.optimize(steps, recorder)

        scores = score(candidates.pictures())
        chosen = self.selection.choose(scores, candidates.pictures(), target, options.answers)
        candidates.keep(chosen)
        candidates.weights = weights
        candidates.optimize(self.refit, recorder)
        return candidates, take(scores, chosen), expected

    def _begin(self, networks: Networks, options: SearchOptions, target: Target, visible: Target) -> Candidates:
        """Starts the candidates of the first round, with the weights of all known pixels, held-out ones included."""
        weights = self.objective.weigh(target.known)
        count = self.counts(options.answers)[0]
        z = self.start(networks, visible, weights * visible.known, count, options.seed)
        z = networks.model.latent.project(z, self.shell_width)
        candidates = Candidates(
            networks, target, self.objective, weights, self.optimizer, z,
            steps=self.z_steps, seed=options.seed, shell_width=self.shell_width,
        )  # fmt: skip
        if self.encoder_prior is not None and networks.model.encoder is not None:
            candidates.image = torch.where(target.known[:, None] > 0, candidates.image, candidates.pictures())
            candidates.weights = weights + self.encoder_prior(target.known)
        return candidates

    def _mean_answer(
        self, networks: Networks, target: Target, z: torch.Tensor, expected: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Returns a mean answer (N, 3, R, R) near z (N, 1, d) that follows the pictures that the encoder expects."""
        wanted = torch.where(target.known > 0, target.image, expected)[:, None]
        mean = self._refine(networks, z, wanted, wanted, weights)
        return networks.inpaint(target, mean)[:, 0]

    def _refine(
        self,
        networks: Networks,
        z: torch.Tensor,
        pictures: torch.Tensor,
        image: torch.Tensor,
        weights: torch.Tensor,
        on_step: OnStep = lambda pictures, losses: None,
    ) -> torch.Tensor:
        """Refines answers z (N, k, d) with pictures (N, k, 3, R, R) towards an image (N, k, 3, R, R)."""
        if self.refinement is None:
            return pictures
        shape = z.shape[:2]

        def report(pictures: torch.Tensor, losses: torch.Tensor) -> None:
            on_step(pictures.unflatten(0, shape), losses.unflatten(0, shape))

        z, image, weights = z.flatten(0, 1), image.flatten(0, 1), weights.repeat_interleave(shape[1], 0)
        return self.refinement(networks, self.objective, z, image, weights, report).unflatten(0, shape)


def check_settings(steps: int, starts: int = 1, pool: int = 1, window: int = 1) -> None:
    """Raises ``UserError`` if a search cannot work with a setting."""
    if steps < 0 or min(starts, pool, window) < 1 or window % 2 == 0:
        raise UserError(
            f"search: steps={steps} starts={starts} pool={pool} window={window} cannot be used: "
            "give steps from 0, starts and pool from 1, and an odd window"
        )
