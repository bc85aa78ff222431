"""Sentences of a host while a fit runs: how far it is, how long it takes, and how often that may be said."""

from __future__ import annotations

import time

from ..core.words import Phrase, duration

# A fit may end before its budget of model calls does.
AT_MOST = Phrase(" more at most")


def takes_about(work: str, seconds: float, minutes: float | None, more: str = AT_MOST) -> Phrase:
    """A sentence without its full stop: how long `work` will take, and the limit where there is one.

    Args:
        seconds: left by the first timed calls.
        minutes: after which it is stopped; None or 0 where nothing needs to be said about that.
        more: what follows the duration.
    """
    given = {"work": work, "time": duration(seconds), "more": more}
    if not minutes:
        return Phrase("{work} takes about {time}{more}", **given)
    return Phrase("{work} takes about {time}{more}, stopped after {minutes} minutes", **given, minutes=f"{minutes:g}")


class Remaining:
    """How far work is and how long the rest takes, in words; the time that is told never rises.

    Args:
        more: what follows the duration.
    """

    def __init__(self, more: str = AT_MOST) -> None:
        self._more = more
        self._least = float("inf")

    def told(self, seconds: float) -> float:
        """The seconds to tell where an estimate says so many."""
        self._least = min(self._least, seconds)
        return self._least

    def in_words(self, phase: str, done: float, total: float, seconds: float) -> Phrase:
        """One line: the phase, the share that is done, and the time that is left."""
        share, time_left = share_in_words(done, total), duration(self.told(seconds))
        return Phrase("{phase}: {share} done, {time}{more}", phase=phase, share=share, time=time_left, more=self._more)


def share_in_words(done: float, total: float) -> str:
    """A share in whole percent."""
    return f"{100.0 * min(done, total) / max(total, 1e-9):.0f} %"


class Throttle:
    """Lets something happen at most once in `seconds`, and at once the first time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last = float("-inf")

    def due(self) -> bool:
        """Whether it may happen now; if so, it counts as having happened."""
        if time.monotonic() - self._last <= self.seconds:
            return False
        self.restart()
        return True

    def restart(self) -> None:
        """Count the seconds from now."""
        self._last = time.monotonic()
