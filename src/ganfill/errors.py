"""The two ways a command ends short of success without being a bug."""


class UserError(Exception):
    """A mistake the user can mend. The message is one line that names the file, the value and the remedy; exit code 2."""

    exit_code = 2


class Incomplete(Exception):
    """The work is finished and kept, but some of the inputs failed; the message lists them. Exit code 1."""

    exit_code = 1
