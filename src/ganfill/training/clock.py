"""Images seen, the only clock of a training."""


def crossed(before: int, after: int, interval_kimg: float) -> bool:
    """Whether a multiple of ``interval_kimg`` thousand images lies in (before, after].

    A function of the clock alone, so that a resumed training acts at the same moments as an uninterrupted one.
    An interval of 0 is never crossed.
    """
    interval = interval_kimg * 1000
    return interval > 0 and after // interval > before // interval
