"""Names of feature networks in the columns of tables, and what they measure. Imports no torch, so that reports load fast."""

import re

INCEPTION, PIXELS, PYRAMID = "inception", "pixels", "pyramid"
BUILT_IN = {
    INCEPTION: "Inception features, as published for FID and KID",
    PIXELS: "8x8 thumbnails, colour and layout only",
    PYRAMID: "built-in features, 8x8 thumbnails and local contrast at each scale, not a trained network",
}  # a network of the user's own cannot have one of these names


def describe(column: str) -> str | None:
    """Describes the features behind a distance such as ``fd_pixels``, ``kd_face`` or ``fd_face_best``.

    Returns:
        A phrase; None if the column is not a distance.
    """
    match = re.fullmatch(r"[fk]d_(.+?)(_best|_last|_best_at)?", column)
    if match is None:
        return None
    return BUILT_IN.get(match[1], f"features of the given network {match[1]}")
