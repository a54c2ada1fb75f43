"""Errors that are not bugs, and the text of errors of other libraries."""

import errno
from importlib.util import find_spec


class UserError(ValueError):
    """A mistake that the user can correct. The message is one line with the file, the value and the remedy; exit code 2."""

    exit_code = 2


class Incomplete(Exception):
    """The work is finished, but some inputs failed; the message lists them. Exit code 1."""

    exit_code = 1


REMEDIES = {
    errno.ENOSPC: "free some space; the same command again continues",
    errno.EDQUOT: "free some space; the same command again continues",
    errno.EROFS: "choose another out",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "check the disk",
}


def explain(error: OSError) -> str:
    """Returns the file, the reason and the remedy of an error of the system, which has an ``errno``, in one line."""
    name = "" if error.filename is None else f"{error.filename}: "
    return f"{name}{str(error.strerror).lower()}; {REMEDIES.get(error.errno or 0, 'check the paths')}"


def first_line(error: object) -> str:
    """Returns the first line of an error's message, or the name of its type if the message is empty."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def require(user: str, extra: str, *packages: str) -> None:
    """Raises ``UserError`` unless the packages that ``user``, such as "engine=ray", needs of an extra are installed."""
    if missing := [name for name in packages if find_spec(name) is None]:
        raise UserError(f"{user} needs {', '.join(missing)}: pip install 'ganfill[{extra}]'")
