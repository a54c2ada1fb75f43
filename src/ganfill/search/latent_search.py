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
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.candidates import Candidates
from ganfill.search.initialization import PoolStart, expected_pictures
from ganfill.search.networks import Networks
from ganfill.search.objective import EncoderPrior, Objective
from ganfill.search.optimizers import Adam
from ganfill.search.refinement import FeatureOptimization
from ganfill.search.result import DEFAULTS, Completion, SearchOptions
from ganfill.search.selection import Selection, hold_out, lowest, masked_l1
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
        encoder_prior: weights in the hole of the pictures that the search starts from; None, or a model without an encoder,
            uses known pixels only.
        optimizer: moves z.
        shell_width: width of the shell that z of a normal prior stays in, see ``Normal.project``.
        selection: chooses the answers among the candidates.
        refit: number of final steps that fit the answers to all known pixels, held-out ones included; the ranking stays.
        refinement: optimizes features of the answers after z; None for none. Left out for a generator that cannot be split.
        num_candidates: minimum number of candidates in the first round if several answers are wanted, so that answers
            that differ can be chosen.
        average: also returns a mean answer, which follows the pictures that the encoder expects. Needs an encoder and
            ``encoder_prior``.
        blend: makes finished pictures of the answers.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: pictures times candidates on the device at once; limits the memory.
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
        return self._z_steps + self._refinement_steps

    @property
    def _z_steps(self) -> int:
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
        if (
            self.refinement is not None
            and self.refinement.prior is None
            and not hasattr(model.generator, "forward_until")
        ):
            return replace(self, refinement=None)(model, images, holes, options)
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)
        search = partial(self.search, networks, options)
        return in_chunks(search, target, options, self.steps, self.counts(options.answers)[0], self.batch)

    def search(self, networks: Networks, options: SearchOptions, target: Target, recorder: Recorder) -> Completion:
        """Searches for one chunk of pictures."""
        held_out = hold_out(target, self.selection.held_out, options.seed)
        visible = target.hide(held_out)
        expected = self.expect(networks, visible)
        score = partial(
            self.selection.score,
            target=target,
            weights=torch.where(held_out.sum((1, 2, 3), keepdim=True) > 0, held_out, target.known),
            expected=expected,
        )
        candidates, weights = self._begin(networks, options, target, visible, held_out)
        for count, (_, steps) in zip(self.counts(options.answers), self.rounds, strict=True):
            if count < candidates.count:
                candidates.keep(lowest(score(candidates.pictures()), count))
            candidates.optimize(steps, recorder)

        pictures = candidates.pictures()
        scores = score(pictures)
        chosen = self.selection.choose(scores, pictures, target, options.answers)
        candidates.keep(chosen)
        rows = torch.arange(len(chosen), device=chosen.device)[:, None]
        pictures, scores = pictures[rows, chosen], scores[rows, chosen]
        if self.refit:
            candidates.weights = weights
            candidates.optimize(self.refit, recorder)
            pictures = candidates.pictures()
        if not recorder.steps:
            recorder(pictures, scores)
        errors = masked_l1(pictures, target.image, target.known)
        pictures = self._refine(networks, candidates.z, pictures, candidates.image, weights, recorder)
        pictures = networks.inpaint(target, pictures)

        mean = None
        if self.average and self.encoder_prior is not None and expected is not None:
            wanted = torch.where(target.known > 0, target.image, expected)[:, None]
            mean = self._refine(networks, candidates.z[:, :1], wanted, wanted, weights)
            # Like the expectation, a mean over the picture and its mirror image.
            mirrored = networks.inpaint(target.mirror(), mean.flip(4)).flip(4)
            mean = (networks.inpaint(target, mean) + mirrored)[:, 0].cpu() / 2
        order = lowest(scores, options.answers)
        return Completion(
            pictures[rows, order].cpu(),
            candidates.z[rows, order].cpu(),
            scores[rows, order].cpu(),
            errors[rows, order].cpu(),
            recorder.frames,
            mean,
            passes=candidates.passes + (options.answers + (mean is not None)) * self._refinement_steps,
            inpainted=True,
        )

    def expect(self, networks: Networks, visible: Target) -> torch.Tensor | None:
        """Returns the pictures (N, 3, R, R) that the encoder expects, or None if they are not needed or unavailable."""
        needed = self.average or self.selection.agreement
        return expected_pictures(networks, visible) if needed and networks.model.encoder is not None else None

    def _begin(
        self, networks: Networks, options: SearchOptions, target: Target, visible: Target, held_out: torch.Tensor
    ) -> tuple[Candidates, torch.Tensor]:
        """Starts the candidates of the first round; also returns the weights (N, 1, R, R) with held-out pixels included."""
        count, latent = self.counts(options.answers)[0], networks.model.latent
        weights = self.objective.weigh(target.known)
        z = self.start(networks, visible, weights * (1 - held_out), count, options.seed)
        z = latent.from_unconstrained(latent.to_unconstrained(latent.project(z, self.shell_width)))
        image, passes = target.image[:, None].expand(-1, count, -1, -1, -1), 0.0
        if self.encoder_prior is not None and networks.model.encoder is not None:
            with torch.no_grad():
                starts = networks.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2])
            image = torch.where(target.known[:, None] > 0, image, starts)
            weights = weights + self.encoder_prior(target.known)
            passes = count / 3
        candidates = Candidates(
            *(networks, target, image, self.objective, weights * (1 - held_out)),
            *(self.optimizer, z, self._z_steps, options.seed, self.shell_width),
        )
        candidates.passes += passes
        return candidates, weights

    def _refine(
        self,
        networks: Networks,
        z: torch.Tensor,
        pictures: torch.Tensor,
        image: torch.Tensor,
        weights: torch.Tensor,
        recorder: Recorder | None = None,
    ) -> torch.Tensor:
        """Refines answers z (N, k, d) with pictures (N, k, 3, R, R) towards an image (N, k, 3, R, R)."""
        if self.refinement is None:
            return pictures
        shape = z.shape[:2]

        def on_step(pictures: torch.Tensor, losses: torch.Tensor) -> None:
            if recorder is not None:
                recorder(pictures.unflatten(0, shape), losses.unflatten(0, shape))

        z, image, weights = z.flatten(0, 1), image.flatten(0, 1), weights.repeat_interleave(shape[1], 0)
        return self.refinement(networks, self.objective, z, image, weights, on_step).unflatten(0, shape)


def check_settings(steps: int, starts: int = 1, pool: int = 1, window: int = 1) -> None:
    """Raises ``UserError`` if a search cannot work with a setting."""
    if steps < 0 or min(starts, pool, window) < 1 or window % 2 == 0:
        raise UserError(
            f"search: steps={steps} starts={starts} pool={pool} window={window} cannot be used: "
            "give steps from 0, starts and pool from 1, and an odd window"
        )
