"""Samples of the posterior of z: Hamiltonian Monte Carlo (Neal 2011, arXiv 1206.1901)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ganfill import seeding
from ganfill.errors import UserError
from ganfill.images.blend import Blend, Poisson
from ganfill.models.model import Model
from ganfill.search.batching import Recorder, in_chunks
from ganfill.search.initialization import expected_pictures
from ganfill.search.latent_search import LatentSearch
from ganfill.search.networks import Networks
from ganfill.search.result import DEFAULTS, Completion, SearchOptions
from ganfill.search.selection import Selection, masked_l1, take
from ganfill.search.target import Target

STEP_SIZE = 0.1  # at first, in standard deviations of the prior; the burn-in adapts it
ACCEPTANCE = 0.7  # target acceptance rate of the step size adaptation


@dataclass(frozen=True)
class PosteriorSampling:
    """Several Markov chains for each picture.

    The likelihood is normal. Its variance is the mean squared error on known pixels after the initial search, so that
    details which the generator cannot draw count as noise. Such errors are correlated over many pixels, so only one value
    in ``correlated`` counts as independent.

    Args:
        initial_search: finds the initial states of the chains; its refinement is left out.
        selection: chooses the answers among the samples, scored by all known pixels.
        chains, burn_in, samples, leaps, correlated, blend, precision, batch: see ``ganfill.search.presets.posterior``.
    """

    initial_search: LatentSearch
    chains: int = 4
    burn_in: int = 20
    samples: int = 20
    leaps: int = 5
    correlated: float = 48.0
    selection: Selection = field(default_factory=Selection)
    blend: Blend = field(default_factory=Poisson)
    precision: str = "auto"
    batch: int = 256

    @property
    def steps(self) -> int:
        """Number of steps for each picture."""
        return self.initial_search.z_steps + self.leaps * (self.burn_in + self.samples)

    def __call__(
        self, model: Model, images: torch.Tensor, holes: torch.Tensor, options: SearchOptions = DEFAULTS
    ) -> Completion:
        """Samples for every picture, see ``Search``.

        Returns:
            The answers, the mean of all samples, and the 90 % interval of every pixel: quantiles of samples plus noise.

        Raises:
            UserError: more answers are wanted than samples are drawn.
        """
        if options.answers > self.chains * self.samples:
            raise UserError(
                f"answers={options.answers}, but {self.chains * self.samples} samples are drawn: raise search.samples"
            )
        networks = Networks(model, self.precision)
        target = Target.of(images, holes, networks.device)
        items = max(self.chains, self.initial_search.rounds[0][0])
        return in_chunks(partial(self.search, networks, options), target, options, self.steps, items, self.batch)

    def search(self, networks: Networks, options: SearchOptions, target: Target, recorder: Recorder) -> Completion:
        """Samples for one chunk of pictures."""
        initial, _, expected = self.initial_search.optimize(
            networks, replace(options, answers=self.chains), target, recorder
        )
        chains = Chains(networks, target, initial.z, self, options.seed)
        for i in range(self.burn_in):
            chains.propose(recorder)
            chains.adapt_step_sizes(2 * i >= self.burn_in)
        chains.fix_step_sizes()
        latents, samples = [], []
        for _ in range(self.samples):
            chains.propose(recorder)
            latents.append(chains.z)
            samples.append(chains.pictures)
        z, pictures = torch.cat(latents, 1), torch.cat(samples, 1)

        if expected is None and self.selection.agreement and networks.model.encoder is not None:
            expected = expected_pictures(networks, target)  # a single chain needs none to start
        scores = self.selection.score(pictures, target, target.known, expected)
        chosen = self.selection.choose(scores, pictures, target, options.answers)
        errors = masked_l1(take(pictures, chosen), target.image, target.known)
        # One sample of each chain at a time, so that a batch is no larger than those of the sampling.
        completed = torch.cat([networks.inpaint(target, sample) for sample in samples], 1)
        return Completion(
            take(completed, chosen).cpu(),
            take(z, chosen).cpu(),
            take(scores, chosen).cpu(),
            errors.cpu(),
            recorder.frames,
            completed.mean(1).cpu(),
            chains.interval(completed),
            initial.passes + chains.passes,
            inpainted=True,
        )


class Chains:
    """Markov chains for a chunk of pictures, in the prior's unconstrained coordinates.

    Args:
        networks: the model.
        target: N pictures.
        z: initial states, (N, chains, d).
        settings: of the sampling.
        seed: of all random numbers; each picture mixes in its key.

    Attributes:
        pictures: generated from the states, (N, chains, 3, R, R).
        variance: of the likelihood, (N,).
        accepted: bool (N, chains), True where the last proposal was accepted.
        passes: forward and backward passes so far for each picture.
    """

    def __init__(
        self, networks: Networks, target: Target, z: torch.Tensor, settings: PosteriorSampling, seed: int
    ) -> None:
        self.networks, self.target, self.settings = networks, target, settings
        self.latent = networks.model.latent
        self.u = self.latent.to_unconstrained(z)
        self.generators = [seeding.generator(seed, "posterior", key) for key in target.keys]
        self.step_sizes = torch.full(z.shape[:2], STEP_SIZE, device=z.device)
        self.late_step_sizes: list[torch.Tensor] = []
        self.accepted = torch.zeros(z.shape[:2], dtype=torch.bool, device=z.device)
        self.passes = 0.0
        with torch.no_grad():
            squared_errors = self._squared_errors(self._generate(z))
        known = 3 * target.known.flatten(1).sum(1)
        self.variance = (squared_errors.amin(1) / known.clamp_min(1)).clamp_min(1e-4)
        self.energy, self.gradient, self.pictures = self._evaluate(self.u)

    @property
    def z(self) -> torch.Tensor:
        """The states, (N, chains, d)."""
        return self.latent.from_unconstrained(self.u)

    def propose(self, recorder: Recorder) -> None:
        """Makes one proposal for each chain, accepted with probability min(1, exp(-change of total energy))."""
        momentum = self._random(torch.randn, self.u.shape[2])
        before = self.energy + momentum.square().sum(2) / 2
        # With a fixed path length, a chain can follow a periodic orbit and never mix (Neal, section 3.2).
        size = self.step_sizes[..., None] * (0.8 + 0.4 * self._random(torch.rand, 1))
        u, gradient = self.u, self.gradient
        energy, pictures = self.energy, self.pictures
        for _ in range(self.settings.leaps):
            momentum = momentum - size / 2 * gradient
            u = u + size * momentum
            energy, gradient, pictures = self._evaluate(u)
            momentum = momentum - size / 2 * gradient
            recorder(self.pictures, self.energy)
        change = energy + momentum.square().sum(2) / 2 - before
        self.accepted = (self._random(torch.rand, 1)[..., 0].log() < -change) & change.isfinite()
        accepted = self.accepted[..., None]
        self.u = torch.where(accepted, u, self.u)
        self.gradient = torch.where(accepted, gradient, self.gradient)
        self.energy = torch.where(self.accepted, energy, self.energy)
        self.pictures = torch.where(accepted[..., None, None], pictures, self.pictures)

    def adapt_step_sizes(self, late: bool) -> None:
        """Moves each chain's step size towards the target acceptance rate, during burn-in only.

        Args:
            late: include the result in the mean of ``fix_step_sizes``.
        """
        self.step_sizes = self.step_sizes * torch.where(self.accepted, 1.1, 1.1 ** (-ACCEPTANCE / (1 - ACCEPTANCE)))
        if late:
            self.late_step_sizes.append(self.step_sizes.log())

    def fix_step_sizes(self) -> None:
        """Sets the step sizes to the geometric mean of the late ones, which varies less than the last one."""
        if self.late_step_sizes:
            self.step_sizes = torch.stack(self.late_step_sizes).mean(0).exp()

    def interval(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the central 90 % interval of every pixel of samples (N, s, 3, R, R) plus the likelihood's noise."""
        draws = [torch.randn(pictures.shape[1:], generator=generator) for generator in self.generators]
        noise = torch.stack(draws).to(pictures) * self.variance.sqrt()[:, None, None, None, None]
        low, high = torch.quantile(pictures + noise, torch.tensor([0.05, 0.95], device=pictures.device), dim=1)
        return low.cpu(), high.cpu()

    def _evaluate(self, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Potential energy (N, chains), its gradient, and pictures."""
        u = u.detach().requires_grad_()
        pictures = self._generate(self.latent.from_unconstrained(u))
        neg_log_likelihood = self._squared_errors(pictures) / (2 * self.settings.correlated * self.variance[:, None])
        energy = neg_log_likelihood + self.latent.neg_log_prob(u)
        (gradient,) = torch.autograd.grad(energy.sum(), u)
        self.passes += u.shape[1]
        return energy.detach(), gradient, pictures.detach()

    def _generate(self, z: torch.Tensor) -> torch.Tensor:
        return self.networks.generate(z.flatten(0, 1)).unflatten(0, z.shape[:2])

    def _squared_errors(self, pictures: torch.Tensor) -> torch.Tensor:
        errors = (pictures - self.target.image[:, None]).square() * self.target.known[:, None]
        return errors.flatten(2).sum(2)

    def _random(self, draw: Callable[..., torch.Tensor], width: int) -> torch.Tensor:
        """Random numbers (N, chains, width); each picture has a generator of its own."""
        shape = (self.u.shape[1], width)
        return torch.stack([draw(shape, generator=generator) for generator in self.generators]).to(self.u)
