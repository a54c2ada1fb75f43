"""Search spaces of Optuna from overrides in the grammar of Hydra."""

from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from ganfill.errors import UserError


def distribution(override: Override) -> Any:
    """Returns the distribution that an override such as ``gamma=tag(log,interval(0.01,1))`` describes.

    Raises:
        UserError: the range is empty, or logarithmic where it cannot be.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            kind = IntDistribution if isinstance(value.start, int) else FloatDistribution
            return kind(value.start, value.end, log="log" in value.tags)  # pyright: ignore[reportArgumentType]
        if isinstance(value, RangeSweep):
            numbers = list(value.range())
            low, high, step = min(numbers), max(numbers), abs(value.step)
            kind = IntDistribution if isinstance(low, int) else FloatDistribution
            return kind(low, high, step=step, log="log" in value.tags)  # pyright: ignore[reportArgumentType]
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise UserError(f"{override.input_line} is not a range to draw from: {error}") from None


def examples(space: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields values of all keys such that each choice, and both ends of each range, appear at least once."""
    values = {key: getattr(each, "choices", None) or (each.low, each.high) for key, each in space.items()}
    first = {key: choices[0] for key, choices in values.items()}
    yield first
    for key, choices in values.items():
        yield from (first | {key: value} for value in choices[1:] if value != first[key])
