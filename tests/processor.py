"""How much a piece of work costs, told so that neither a slow machine nor a busy one changes it."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds of `ten_milliseconds` on an idle core.
IDLE = 0.01


def ten_milliseconds() -> None:
    """A fixed piece of Python."""
    sum(number * number for number in range(200_000))


def least(work: Callable[[], object], turns: int = 5) -> float:
    """Processor seconds of the fastest of some turns: others only tell what else the machine did."""
    spent: list[float] = []
    for _ in range(turns):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def cost(work: Callable[[], object], unit: Callable[[], object], turns: int = 9) -> float:
    """Processor time of `work` in units of another piece, the least of some turns each, taken in turn."""
    pairs = [(least(work, 1), least(unit, 1)) for _ in range(turns)]
    mine, units = (min(column) for column in zip(*pairs))
    print(f"{1e3 * mine:.1f} ms, {mine / units:.2f} times {1e3 * units:.1f} ms")
    return mine / units
