"""Where the family lies on one model: scale, stretch and numbers along its directions, as fits and presets have it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .learned import load_family
from .placing import whole_hundredths

# Numbers found at one step count say nothing at one that is so many times larger or smaller.
_FADED = 2.5


@dataclass(frozen=True)
class FamilyPlace:
    """Where the family lies on a model.

    All are whole hundredths, so that a list tells its place and a preset holds it in few digits.

    Args:
        version: of the family's data.
        log_scale, stretch: of the noise levels (placing.py).
        numbers: along the first directions in which models differ (learned.py); () for none.
        steps: where these numbers were found.
    """

    version: int
    log_scale: float
    stretch: float
    numbers: tuple[float, ...] = ()
    steps: int = field(default=1, compare=False)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], *, flow: bool) -> FamilyPlace:
        """The place that `facts` were made of.

        Raises:
            ValueError, TypeError, KeyError: these are other words than `facts` writes.
        """
        version, numbers = int(facts["version"]), tuple(map(float, facts.get("numbers", ())))
        load_family(version).moved(numbers, flow=flow)
        pair = whole_hundredths(float(facts["scale"]), float(facts["stretch"]))
        return cls(version, *pair, numbers, max(1, int(facts.get("steps", 1))))

    @property
    def scale(self) -> float:
        return math.exp(self.log_scale)

    @property
    def facts(self) -> dict[str, float | list[float]]:
        """As presets hold it."""
        facts: dict[str, float | list[float]] = {
            "version": self.version,
            "scale": round(self.scale, 4),
            "stretch": self.stretch,
        }
        return facts | ({"numbers": list(self.numbers), "steps": self.steps} if any(self.numbers) else {})

    def at_steps(self, steps: int) -> FamilyPlace:
        """The place as it serves another step count: the numbers count less the further it is, from _FADED times none.

        Found at 8 steps they make runs of 5 and 10 .7 to 4.4 times as near as the usual place does, of 20 .7 to 2.0
        times; found at 5 steps runs of 20 .65 to 2.2 times (four networks that the family has not seen).
        """
        share = max(0.0, 1.0 - abs(math.log(steps / self.steps)) / math.log(_FADED))
        return replace(self, numbers=tuple(round(share * number, 2) for number in self.numbers) if share else ())

    def in_words(self, *, moved: bool = False) -> str:
        """One sentence for the report; `moved`: whether a fit moved every step beyond."""
        place = f"scale {self.scale:.3g}, stretch {self.stretch:.3g}"
        if any(self.numbers):
            place += ", directions " + ", ".join(f"{number:.3g}" for number in self.numbers)
        besides = ", and every step a little besides" if moved else ""
        return f"The family (version {self.version}) suits this model at {place}{besides}."
