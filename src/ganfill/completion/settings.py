"""What settings a search can work with."""

from ganfill.errors import UserError


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
