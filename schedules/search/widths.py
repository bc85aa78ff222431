"""How many children every step of a search gets: a line of text over the share of noise, and the widths of a run.

    uniform                      as many in every step
    until 0.4                    as many in every step down to a share of noise of 0.4, one child below it
    1: 1, 0.7: 3, 0.4: 0         relative numbers of further children: 1 from share 1, 3 from 0.7, none from 0.4 down

The line is what people share, and what a preset keeps among its facts (`with_plan`).

The share of noise is sigma / (1 + sigma), of a flow model sigma itself. The numbers are relative, so that a plan serves
every budget and step count: a step has one child, and the calls that are left are shared out by them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from ..core.noise_space import from_ve
from ..presets.preset import Preset

UNIFORM_TEXT = "uniform"
# In place of a line: the one in the preset that is at hand.
PRESET_TEXT = "preset"
# The key of a preset's `made` that holds a line.
PLAN_FACT = "search_plan"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
_FORMS = "uniform, `until 0.4` (a share of noise), or pairs of share and number such as `1: 1, 0.7: 3, 0.4: 0`"


@dataclass(frozen=True)
class WidthPlan:
    """Relative numbers of further children by the share of noise.

    Args:
        pieces: (share from which downwards it holds, number >= 0), shares falling, the first 1.
    """

    pieces: tuple[tuple[float, float], ...] = ((1.0, 1.0),)

    @property
    def is_uniform(self) -> bool:
        return len({number for _, number in self.pieces}) == 1

    def at(self, share: float) -> float:
        """The number at a share of noise."""
        return [number for start, number in self.pieces if share <= start or start == 1.0][-1]

    def text(self) -> str:
        """The line that `parse_widths` reads."""
        if self.is_uniform:
            return UNIFORM_TEXT
        if len(self.pieces) == 2 and self.pieces[1][1] == 0.0:
            return f"until {self.pieces[1][0]:g}"
        return ", ".join(f"{share:g}: {number:g}" for share, number in self.pieces)


UNIFORM = WidthPlan()


def until(share: float) -> WidthPlan:
    """As many children in every step down to this share of noise, one below it."""
    return WidthPlan(((1.0, 1.0), (share, 0.0)))


def parse_widths(text: str) -> WidthPlan:
    """A plan from its line.

    Raises:
        ValueError: names the input `plan`.
    """
    words = text.strip().lower()
    if words in ("", UNIFORM_TEXT):
        return UNIFORM
    if match := re.fullmatch(rf"until\s+({_NUMBER})", words):
        pieces = [(1.0, 1.0), (float(match[1]), 0.0)]
    elif re.fullmatch(rf"{_NUMBER}\s*:\s*{_NUMBER}(\s*,\s*{_NUMBER}\s*:\s*{_NUMBER})*", words):
        pairs = [part.split(":") for part in words.split(",")]
        pieces = [(float(share), float(number)) for share, number in pairs]
        if pieces[0][0] != 1.0:
            pieces.insert(0, (1.0, 0.0))
    else:
        raise ValueError(f"plan: {text!r} is not understood; it can be {_FORMS}")
    shares = [share for share, _ in pieces]
    if any(after >= before for before, after in pairwise(shares)) or not 0.0 < shares[-1] <= shares[0] <= 1.0:
        raise ValueError(f"plan: shares of noise must fall and lie above 0 and at most 1, got {shares}")
    if not any(number for _, number in pieces):
        raise ValueError("plan: every number is 0, so nothing is searched")
    return WidthPlan(tuple(pieces))


def plan_of_preset(facts: Mapping[str, Any]) -> WidthPlan | None:
    """The plan among a preset's further facts (`made.more`); None where it holds none.

    Raises:
        ValueError: the preset holds something else under that key.
    """
    line = facts.get(PLAN_FACT)
    if line is None:
        return None
    if not isinstance(line, str):
        raise ValueError(f"plan: the preset's {PLAN_FACT} is no line of text")
    return parse_widths(line)


def with_plan(preset: Preset, plan: WidthPlan) -> Preset:
    """The preset with this plan among its facts."""
    made = replace(preset.made, more={**preset.made.more, PLAN_FACT: plan.text()})
    return replace(preset, made=made)


def noise_share(sigma: float, flow: bool) -> float:
    """Share of noise at a level."""
    return float(min(sigma, 1.0) if flow else from_ve(sigma))


def least_calls(steps: int, paths: int) -> int:
    """Model calls of the smallest search: one child a step on every path, two where there is one path."""
    return steps * paths + (1 if paths == 1 and steps > 1 else 0)


def widths(plan: WidthPlan, levels: Sequence[float], budget: int, *, flow: bool, paths: int = 1) -> list[int]:
    """Children of every step but the last, over all paths, so that a run takes at most `budget` model calls an image.

    Args:
        levels: sigmas of the run, (steps + 1,); the last step draws no noise.
        budget: model calls for one image: `paths` at the start, and one for each child.
        paths: that are kept after every step.
    Returns:
        steps - 1 numbers of at least `paths`; they and `paths` sum up to at most the budget.
    Raises:
        ValueError: the budget is too small; it says the least that works.
    """
    steps = len(levels) - 1
    if budget < least_calls(steps, paths):
        raise ValueError(
            f"budget: {budget} model calls are too few for {steps} steps on {paths} path{'s' * (paths > 1)}; "
            f"the least is {least_calls(steps, paths)}"
        )
    weights = [plan.at(noise_share(level, flow)) for level in levels[1:-1]]
    extra, total = budget - steps * paths, sum(weights)
    if total <= 0.0:
        return [paths] * (steps - 1)
    wanted = [extra * weight / total for weight in weights]
    given = [math.floor(number + 1e-9) for number in wanted]
    # What rounding leaves goes to the largest remainders; of equal ones to the noisiest steps, which decide the rest.
    order = sorted(range(len(wanted)), key=lambda i: (given[i] - wanted[i], i))
    for i in order[: extra - sum(given)]:
        given[i] += 1
    return [paths + number for number in given]
