"""Sampling of what may have been in the hole: Hamiltonian Monte Carlo in latent space (Neal 2011, arXiv 1206.1901)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.nn.functional import softplus

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images.blend import Blend, Poisson
from ganfill.models.latent import Latent
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.latent_search import LatentSearch
from ganfill.search.networks import Networks
from ganfill.search.parametrization import TypicalSet
from ganfill.search.result import Completion, Preview
from ganfill.search.selection import Selection, best, masked_l1
from ganfill.search.target import Target

ACCEPTANCE = 0.7  # the share of accepted proposals that step sizes aim at
COORDINATES = TypicalSet(width=torch.inf)  # all of a normal prior; tanh for a uniform one


@dataclass(frozen=True)
class PosteriorSampling:
    """Several chains for each picture, each step accepted or refused after Metropolis.

    The likelihood is normal. Its variance is the mean squared residual on known pixels where the search ends, so that
    what the generator cannot show counts as noise, and since such residuals hang together over many pixels, only one
    value in ``correlated`` counts as independent.

    Args:
        begin: the search whose answers the chains start from.
        chains: for each picture.
        burn_in: proposals of each chain that only serve to forget the start and to find a step size.
        samples: proposals of each chain after that, each giving a sample.
        leaps: leapfrog steps of a proposal, each a forward and backward run.
        step: the first step size; in units of the prior's standard deviation.
        correlated: known values (three a pixel) that count as one.
        selection: which samples are the answers, all known pixels judging; its agreement needs that of ``begin``.
        blend: how an answer becomes a finished picture, unless the caller chooses.
        precision: ``auto``, ``bf16`` or ``fp32``.
        batch: items (pictures times chains) on the device at once.
    """

    begin: LatentSearch
    chains: int = 4
    burn_in: int = 20
    samples: int = 20
    leaps: int = 5
    step: float = 0.1
    correlated: float = 48.0
    selection: Selection = field(default_factory=Selection)
    blend: Blend = field(default_factory=Poisson)
    precision: str = "auto"
    batch: int = 256

    @property
    def steps(self) -> int:
        """Steps for each picture."""
        return self.begin.steps + self.leaps * (self.burn_in + self.samples)

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
        """Samples for every picture; arguments as for ``LatentSearch``.

        Returns:
            Besides the answers, the mean of all samples, and the interval that holds the truth with a probability of
            90 %: the quantiles of samples plus noise.

        Raises:
            ValueError: as ``LatentSearch``.
            UserError: more answers are wanted than samples are drawn.
        """
        if answers < 1:
            raise ValueError(f"answers must be at least 1, not {answers}")
        if answers > self.chains * self.samples:
            raise UserError(
                f"answers={answers}, but {self.chains * self.samples} samples are drawn: raise search.samples"
            )
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)

        def sample(chunk: Target, real: int) -> Completion:
            recorder = Recorder(frames, self.steps, real, advance, preview, chunk)
            return self._sample(networks, chunk, answers, seed, recorder)

        items = max(self.chains, self.begin.rounds[0][0])
        return in_chunks(sample, target, items, self.batch, deterministic)

    def _sample(self, networks: Networks, target: Target, answers: int, seed: int, recorder: Recorder) -> Completion:
        begun = self.begin.search(networks, target, self.chains, seed, recorder)
        chains = Chains(networks, target, begun.latents.to(networks.device), self, seed)
        for i in range(self.burn_in):
            chains.propose(recorder)
            chains.adapt(2 * i >= self.burn_in)
        chains.settle()
        drawn, pictures = [], []
        for _ in range(self.samples):
            chains.propose(recorder)
            drawn.append(chains.z)
            pictures.append(chains.pictures)
        z, pictures = torch.cat(drawn, 1), torch.cat(pictures, 1)
        scores = self.selection.score(pictures, target, target.known, self.begin.expect(networks, target))
        chosen = self.selection.choose(scores, pictures, target, answers)
        chosen = chosen.gather(1, best(scores.gather(1, chosen), answers))
        rows = torch.arange(len(chosen), device=chosen.device)[:, None]
        return Completion(
            pictures[rows, chosen].cpu(),
            z[rows, chosen].cpu(),
            scores[rows, chosen].cpu(),
            masked_l1(pictures[rows, chosen], target.image, target.known).cpu(),
            recorder.frames,
            pictures.mean(1).cpu(),
            chains.interval(pictures),
            begun.passes + chains.passes,
        )


class Chains:
    """The chains of a chunk of pictures.

    Args:
        networks: the model.
        target: N pictures.
        z: where to start, (N, chains, d).
        settings: of the sampling.
        seed: of all its random numbers, mixed with each picture's own.

    Attributes:
        pictures: of the chains' states, (N, chains, 3, R, R).
        variance: of the likelihood, (N,).
        accepted: whether the last proposals were, (N, chains).
        passes: forward and backward runs for each picture so far.
    """

    def __init__(
        self, networks: Networks, target: Target, z: torch.Tensor, settings: PosteriorSampling, seed: int
    ) -> None:
        self.networks, self.target, self.settings = networks, target, settings
        self.latent: Latent = networks.model.latent
        self.point = COORDINATES.enter(z, self.latent)
        self.generators = [seeding.generator(seed, "posterior", key) for key in target.keys]
        self.size = torch.full(z.shape[:2], settings.step, device=z.device)
        self.accepted = torch.zeros(z.shape[:2], dtype=torch.bool, device=z.device)
        self.sizes: list[torch.Tensor] = []
        self.passes = 0.0
        with torch.no_grad():
            pictures = networks.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        squares = ((pictures - target.image[:, None]).square() * target.known[:, None]).flatten(2).sum(2)
        known = 3 * target.known.flatten(1).sum(1)
        self.variance = (squares.amin(1) / known.clamp_min(1)).clamp_min(1e-4)
        self.energy, self.gradient, self.pictures = self._evaluate(self.point)

    @property
    def z(self) -> torch.Tensor:
        """The states, (N, chains, d)."""
        return COORDINATES.leave(self.point, self.latent)

    def propose(self, recorder: Recorder) -> None:
        """One proposal of every chain, accepted with probability min(1, exp(-change of total energy))."""
        momentum = self._draw(torch.randn, self.point.shape[2])
        before = self.energy + momentum.square().sum(2) / 2
        # Steps of one length can keep time with the oscillation and never mix (Neal, section 3.2).
        size = self.size[..., None] * (0.8 + 0.4 * self._draw(torch.rand, 1))
        point, gradient = self.point, self.gradient
        energy, pictures = self.energy, self.pictures
        for _ in range(self.settings.leaps):
            momentum = momentum - size / 2 * gradient
            point = point + size * momentum
            energy, gradient, pictures = self._evaluate(point)
            momentum = momentum - size / 2 * gradient
            recorder(self.pictures, self.energy)
        change = energy + momentum.square().sum(2) / 2 - before
        self.accepted = (self._draw(torch.rand, 1)[..., 0].log() < -change) & change.isfinite()
        taken = self.accepted[..., None]
        self.point = torch.where(taken, point, self.point)
        self.gradient = torch.where(taken, gradient, self.gradient)
        self.energy = torch.where(self.accepted, energy, self.energy)
        self.pictures = torch.where(taken[..., None, None], pictures, self.pictures)

    def adapt(self, late: bool) -> None:
        """Moves each chain's step size towards the acceptance aimed at; only before samples count."""
        self.size = self.size * torch.where(self.accepted, 1.1, 1.1 ** (-ACCEPTANCE / (1 - ACCEPTANCE)))
        if late:
            self.sizes.append(self.size.log())

    def settle(self) -> None:
        """Ends the adaptation with the geometric mean of the late step sizes; the last alone is a matter of luck."""
        if self.sizes:
            self.size = torch.stack(self.sizes).mean(0).exp()

    def interval(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The central 90 % of samples (N, s, 3, R, R) with the likelihood's noise, pixel by pixel."""
        draws = [torch.randn(pictures.shape[1:], generator=generator) for generator in self.generators]
        noise = torch.stack(draws).to(pictures) * self.variance.sqrt()[:, None, None, None, None]
        low, high = torch.quantile(pictures + noise, torch.tensor([0.05, 0.95], device=pictures.device), dim=1)
        return low.cpu(), high.cpu()

    def _evaluate(self, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Potential energy (N, chains), its gradient, and pictures."""
        free = point.detach().requires_grad_()
        pictures = self.networks.generate(COORDINATES.leave(free, self.latent).flatten(0, 1)).unflatten(
            0, point.shape[:2]
        )
        squares = ((pictures - self.target.image[:, None]).square() * self.target.known[:, None]).flatten(2).sum(2)
        likelihood = squares / (2 * self.settings.correlated * self.variance[:, None])
        energy = likelihood + prior_energy(free, self.latent)
        (gradient,) = torch.autograd.grad(energy.sum(), free)
        self.passes += point.shape[1]
        return energy.detach(), gradient, pictures.detach()

    def _draw(self, draw: Callable[..., torch.Tensor], width: int) -> torch.Tensor:
        """Random numbers (N, chains, width), each picture's from its own generator."""
        shape = (self.point.shape[1], width)
        return torch.stack([draw(shape, generator=generator) for generator in self.generators]).to(self.point)


def prior_energy(point: torch.Tensor, latent: Latent) -> torch.Tensor:
    """Minus the logarithm of the prior's density in the coordinates of the search, up to a constant: (..., d) -> (...)."""
    if latent.bounded:  # u with z = tanh u uniform: density proportional to 1 / cosh^2 u
        return 2 * (point.abs() + softplus(-2 * point.abs())).sum(-1)
    return point.square().sum(-1) / 2
