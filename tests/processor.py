"""How much a piece of work costs, told so that neither a slow machine nor a busy one changes it."""

from __future__ import annotations

import time
from collections.abc import Callable


def cost(work: Callable[[], object], unit: Callable[[], object], turns: int = 9) -> float:
    """Processor time of `work` in units of another piece, the least of some turns each, taken in turn."""
    least = [float("inf"), float("inf")]
    for _ in range(turns):
        for place, each in enumerate((work, unit)):
            start = time.process_time()
            each()
            least[place] = min(least[place], time.process_time() - start)
    print(f"{1e3 * least[0]:.1f} ms, {least[0] / least[1]:.2f} times {1e3 * least[1]:.1f} ms")
    return least[0] / least[1]
