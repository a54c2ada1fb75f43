"""Progress bars on standard error, which is a terminal or the log file of a job."""

import sys
from typing import Any

from tqdm import tqdm

WITHOUT_RATE = "{desc}: {percentage:3.0f}% {bar} {n:.0f}/{total} [{elapsed}<{remaining}]"


def progress_bar(*args: Any, **options: Any) -> tqdm:
    """Opens a bar with the arguments of ``tqdm``. A terminal shows it twice a second, a file gets a line a minute."""
    interval = 0.5 if sys.stderr.isatty() else 60.0
    return tqdm(*args, mininterval=interval, maxinterval=max(interval, 10.0), **options)
