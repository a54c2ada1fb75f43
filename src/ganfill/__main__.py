"""``python -m ganfill`` and the script ``ganfill``."""

from ganfill import interrupts


def main() -> None:
    """Runs the command line; see ``ganfill.cli.main``."""
    interrupts.exit_at_once()
    from ganfill import cli  # takes a while, in which Ctrl-C may be pressed

    cli.main()


if __name__ == "__main__":
    main()
