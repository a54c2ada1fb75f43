"""Start of a GAN from a trained model of the same resolution, or of a lower one, from which it grows."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganfill import seeding
from ganfill.adversarial.fade import Fade, enlarge
from ganfill.errors import UserError
from ganfill.models.model import Model
from ganfill.progress import progress_bar
from ganfill.training.gan import GAN
from ganfill.training.warm_start import warm_start

STEPS = 200
BATCH = 16
RATE = 0.05  # learning rate relative to the standard deviation of a tensor, which differs by a factor of 50 between networks
RATE_OF_CONSTANTS = 1e-3  # learning rate of tensors that start with one value everywhere, such as biases


def start_from(gan: GAN, model: Model, name: str, fade_kimg: float) -> None:
    """Gives the networks of ``gan`` the weights of a trained model, as far as names and shapes fit.

    If ``gan`` has a higher resolution, it grows. The stages at the end of the generator and at the beginning of the
    discriminator are new. They are fitted by least squares, while what was taken over stays as it is. The generator then
    draws the pictures of the model enlarged, and the discriminator has the model's features for them. ``gan.fade`` is set.

    Args:
        gan: with initial weights, on the device of the training.
        model: on the same device.
        name: of the model, for messages.
        fade_kimg: length of the fade in thousand images, see ``Fade``.

    Raises:
        UserError: the model is larger, or does not fit.
    """
    resolution: int = gan.generator.resolution  # pyright: ignore[reportAssignmentType]
    factor = resolution // model.resolution
    if factor < 1:
        raise UserError(
            f"init={name} has {model.resolution} pixels, more than resolution={resolution}: give resolution from "
            f"{model.resolution}"
        )
    _, left = warm_start(gan.generator, model.generator, "generator")
    if factor > 1:
        _check_inner(gan.generator, model.generator, left, f"init={name} cannot grow to {resolution} pixels")
        _fit_generator(gan, model, left, factor)
    if model.discriminator is not None:
        _, left = warm_start(gan.discriminator, model.discriminator, "discriminator", from_input=True)
        if factor > 1:
            _fit_discriminator(gan, model.discriminator, model, left, factor)
    gan.generator_ema.load_state_dict(gan.generator.state_dict())
    gan.fade = Fade(factor, fade_kimg) if factor > 1 else None


def _check_inner(grown: nn.Module, source: nn.Module, left: Collection[str], problem: str) -> None:
    """Raises ``UserError`` if a tensor of ``source`` before its RGB layer was not taken over."""
    own = grown.state_dict().keys() - set(left)
    lost = [key for key in source.state_dict() if key not in own and not key.startswith("to_rgb.")]
    if lost:
        raise UserError(
            f"{problem}: {len(lost)} tensors of its generator do not fit ({lost[0]}, ...); take its architecture and "
            "latent.dim, with half its model.width for each doubling of dcgan and dcgan_plus, and the same for r3gan and "
            "stylegan2; a resnet grows from 32 to 64 pixels only, with half its model.width"
        )


def _fit_generator(gan: GAN, model: Model, new: list[str], factor: int) -> None:
    def example(step: int) -> tuple[Tensor, Tensor]:
        z = _latent(gan, model, step)
        return z, enlarge(model.generator(z), factor)

    fit_tensors(gan.generator, gan.generator, new, example, "growing the generator")


def _fit_discriminator(gan: GAN, source: nn.Module, model: Model, new: list[str], factor: int) -> None:
    old, grown = (getattr(network, "features", network) for network in (source, gan.discriminator))

    def example(step: int) -> tuple[Tensor, Tensor]:
        images = model.generator(_latent(gan, model, step))
        return enlarge(images, factor), old(images)

    fit_tensors(gan.discriminator, grown, new, example, "growing the discriminator")


def _latent(gan: GAN, model: Model, step: int) -> Tensor:
    return model.latent.sample(BATCH, seeding.generator(gan.seed, "growing", step), model.device)


def fit_tensors(
    network: nn.Module,
    function: Callable[[Tensor], Tensor],
    names: Collection[str],
    example: Callable[[int], tuple[Tensor, Tensor]],
    label: str,
) -> None:
    """Fits some tensors of a network by least squares and leaves all others, running statistics included, as they are.

    Args:
        network: in training mode, which it has again at the end.
        function: maps inputs to outputs through ``network``.
        names: of the tensors.
        example: returns inputs and the outputs to aim at, for the number of a step.
        label: of the progress bar.

    Raises:
        UserError: outputs have another shape than those to aim at.
    """
    owners = {name.rpartition(".")[0] for name in names}
    parameters = [parameter for name, parameter in network.named_parameters() if name in names]
    if not parameters:
        return
    for name, module in network.named_modules():
        module.training = name in owners  # batch norm that was taken over uses its running statistics
    network.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    groups = [
        {"params": [p], "lr": RATE * p.detach().std(correction=0).item() or RATE_OF_CONSTANTS} for p in parameters
    ]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, STEPS)
    for step in progress_bar(range(STEPS), desc=label, unit="step"):
        with torch.no_grad():
            inputs, targets = example(step)
        optimizer.zero_grad()
        outputs = function(inputs)
        if outputs.shape != targets.shape:
            raise UserError(
                f"{label}: init gives features of shape {tuple(targets.shape[1:])}, the new network "
                f"{tuple(outputs.shape[1:])}: give it the widths that docs/training.md names"
            )
        mse_loss(outputs, targets).backward()
        optimizer.step()
        schedule.step()
    network.requires_grad_(True).train()
