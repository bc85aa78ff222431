"""A progress bar on stderr with the time that remains, where tqdm is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A terminal is redrawn at most this often, a log file gets a line at most this often; seconds.
_REDRAW, _LOG_LINE = 0.1, 15.0


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[..., None]]:
    """A fit's `progress`: called with (done, total, message="") it moves the bar, which leaves the terminal at the end.

    Without tqdm (the extra `cli`) nothing is shown.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda done, total, message="": None
        return
    interval = _REDRAW if sys.stderr.isatty() else _LOG_LINE
    with tqdm(desc=label, unit="call", leave=False, mininterval=interval, miniters=0, delay=interval) as bar:

        def show(done: int, total: int, message: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(message, refresh=False)
            bar.update(done - bar.n)

        yield show
