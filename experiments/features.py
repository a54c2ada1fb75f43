"""Feature networks that others trained, for ``features=NAME=experiments/features.py:CLASS:WEIGHTS`` of ``ganfill evaluate``.

README.md in this folder names packages that contain the weights. dlib and h5py are imported where they are needed, so that
each class works without the package of the other.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad
from torchvision.models import mobilenet_v2
from torchvision.transforms.functional import resized_crop

FACE = (0.26, 0.16, 0.69, 0.69)  # top, left, height, width: dlib's crop of a face in the middle of an FFHQ picture
CHIP = 150  # pixels a side, what dlib's network was trained on
PIXELS = 160  # a side, what MobileNetV2 was trained on
BLOCKS = 13


class Identity:
    """dlib's embedding of faces: below 0.6, the distance of two pictures means the same person.

    Args:
        weights: ``dlib_face_recognition_resnet_model_v1.dat``.
    """

    def __init__(self, weights: str) -> None:
        import dlib  # pyright: ignore[reportMissingImports]

        self.network = dlib.face_recognition_model_v1(weights)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Maps faces in FFHQ's geometry, uint8 (N, 3, H, W), to embeddings (N, 128)."""
        top, left, height, width = (round(share * pictures.shape[2]) for share in FACE)
        chips = resized_crop(pictures, top, left, height, width, [CHIP, CHIP], antialias=True)
        faces = [np.ascontiguousarray(chip) for chip in chips.cpu().permute(0, 2, 3, 1).numpy()]
        return torch.tensor(np.array(self.network.compute_face_descriptor(faces)))


class MobileNetV2(nn.Module):
    """MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) up to the expansion of block 13: means of 576 channels.

    Args:
        weights: a Keras file (``.h5``) of a model that contains MobileNetV2. Its later blocks are left out, because
            classifiers of other things often train them anew.
    """

    def __init__(self, weights: str) -> None:
        import h5py  # pyright: ignore[reportMissingImports]

        super().__init__()
        *blocks, last = mobilenet_v2().features[: BLOCKS + 2]
        expansion: Any = last.conv
        self.trunk = nn.Sequential(*blocks, expansion[0])
        with h5py.File(weights) as file:
            parts = file["model_weights"]
            layers = next(parts[name] for name in parts if name.startswith("mobilenetv2"))
            modules = (module for module in self.trunk.modules() if isinstance(module, nn.Conv2d | nn.BatchNorm2d))
            for name, module in zip(_names(), modules, strict=False):
                _fill(module, {key: torch.from_numpy(value[()]) for key, value in layers[name].items()})

    def forward(self, pictures: Tensor) -> Tensor:
        """Maps pictures uint8 (N, 3, H, W) to features (N, 576)."""
        size = (PIXELS, PIXELS)
        images = interpolate(pictures.float() / 127.5 - 1, size, mode="bilinear", antialias=True, align_corners=False)
        return self.trunk(images).mean((2, 3))


def _names() -> Iterator[str]:
    """Yields the names of Keras' layers with weights, in the order of torchvision's modules."""
    yield from ("Conv1", "bn_Conv1")
    for block in ("expanded_conv", *(f"block_{i}" for i in range(1, BLOCKS + 1))):
        for layer in ("expand", "depthwise", "project"):
            if (block, layer) != ("expanded_conv", "expand"):
                yield from (f"{block}_{layer}", f"{block}_{layer}_BN")


@torch.no_grad()
def _fill(module: nn.Conv2d | nn.BatchNorm2d, weights: dict[str, Tensor]) -> None:
    """Copies the weights of a Keras layer, and its ways: a larger epsilon, and padding at the right and bottom alone."""
    if isinstance(module, nn.BatchNorm2d):
        module.eps = 1e-3
        names = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
        for name, theirs in names.items():
            getattr(module, name).copy_(weights[theirs])
        return
    module.weight.copy_(weights["kernel"].permute((2, 3, 0, 1) if module.groups > 1 else (3, 2, 0, 1)))
    if module.stride == (2, 2):
        module.padding = (0, 0)
        module.register_forward_pre_hook(lambda _, inputs: pad(inputs[0], (0, 1, 0, 1)))
