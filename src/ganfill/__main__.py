"""``python -m ganfill``."""

from ganfill.cli import main

if __name__ == "__main__":
    main()
