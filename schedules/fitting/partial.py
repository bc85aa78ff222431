"""Fits for runs that start from a noised image, denoise below 1.

Such a run begins without history at a level where the model's output bends, so the tail of a schedule for whole runs
is not the best that it can get. What is fitted is the part that runs, on images that were noised with noise they were
not made of. It is handed out as the end of a list of int(steps / denoise) steps, which is what hosts ask for and cut.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from torch import Tensor

from ..core.noise_space import SigmaRange
from ..core.sigmas import MAX_STEPS, check_denoise, finish_sigmas, steps_before_truncation
from ..core.step_counts import StepCounts
from ..core.types import Schedule
from ..curves.powers import karras_sigmas

# Steps of the schedule that tells where a denoise starts: as fine as the hosts' own table.
_FINE = 1_000
# A host's schedule is asked for at most this times steps / denoise steps to find the one that begins at the start.
_MOST = 4.0


@dataclass(frozen=True)
class PartialStart:
    """Where a run below denoise 1 starts.

    Args:
        denoise: the host's fraction, 0 < denoise < 1.
        sigma: first sigma of every list that is fitted.
        sigma_range: of the model.
    Raises:
        ValueError: there is no room between sigma and sigma_min.
    """

    denoise: float
    sigma: float
    sigma_range: SigmaRange

    def __post_init__(self) -> None:
        low, high = 2.0 * self.sigma_range.sigma_min, self.sigma_range.sigma_max
        if not low < self.sigma < high:
            raise ValueError(
                f"denoise {self.denoise:g} starts at sigma {self.sigma:.5g}; it must lie between {low:.5g}, twice the "
                f"model's sigma_min, and {high:.5g}, its sigma_max"
            )

    @property
    def window(self) -> SigmaRange:
        """The levels that run."""
        return SigmaRange(self.sigma_range.sigma_min, self.sigma, self.sigma_range.flow)

    def cut(self, schedule: Schedule) -> Schedule:
        """steps -> the last steps of the schedule from `sigma` on, between its two step counts that begin around it.

        As a person gets it from a host by choosing the denoise that starts at this level.
        """

        @cache
        def lists(steps: int) -> Tensor:
            counts = range(steps, min(int(_MOST * steps / self.denoise), MAX_STEPS) + 1)
            # Of more steps the last `steps` begin lower.
            at = bisect_left(counts, -self.sigma, key=lambda full: -float(schedule(full)[-(steps + 1)]))
            around = {counts[i]: schedule(counts[i]) for i in (at - 1, at) if 0 <= i < len(counts)}
            tail = StepCounts(around, self.sigma_range.sigma_min).from_sigma(steps, self.sigma)
            tail[0] = self.sigma  # a schedule may begin below it
            return tail

        return lists

    def cut_all(self, schedules: Mapping[str, Schedule]) -> dict[str, Schedule]:
        """The same for many, by name."""
        return {name: self.cut(schedule) for name, schedule in schedules.items()}

    def whole(self, sigmas: Tensor) -> Tensor:
        """The list of int(steps / denoise) steps that ends in `sigmas` (steps + 1,), which begin at `sigma`.

        What is put before them is a closed-form curve; a run at this denoise never sees it.
        """
        steps = len(sigmas) - 1
        lead = steps_before_truncation(steps, self.denoise) - steps
        if lead == 0:
            return sigmas
        known = self.sigma_range
        curve = karras_sigmas(_FINE, known.sigma_min, known.sigma_max, flow=known.flow)
        fine = np.log(curve[:-1].double().numpy())
        start = np.interp(-np.log(self.sigma), -fine, np.arange(_FINE))
        above = np.exp(np.interp(np.linspace(0.0, start, lead, endpoint=False), np.arange(_FINE), fine))
        above[0] = known.sigma_max
        return finish_sigmas(np.append(above, sigmas[:-1].double().numpy()))

    def whole_lists(self, schedules: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The same for many, by their number of steps."""
        return {len(sigmas) - 1: sigmas for sigmas in map(self.whole, schedules.values())}

    def in_words(self) -> str:
        """One sentence for the report."""
        return (
            f"For images that are changed at denoise {self.denoise:g}: every run starts at sigma {self.sigma:.4g}, "
            "host schedules are cut there."
        )


def partial_start(
    denoise: float,
    sigma: float | None,
    sigma_range: SigmaRange,
    default: Schedule | None,
    steps: tuple[int, ...],
) -> PartialStart | None:
    """The start of runs at this denoise, or None where they are whole ones.

    Args:
        sigma: where they start; None: where `default`, the host's own schedule, does, which must then be there.
        steps: the counts to fit, each of which must be what is left of int(steps / denoise) steps.
    Raises:
        ValueError: names the argument.
    """
    if check_denoise(denoise) > 0.9999:
        if sigma is not None:
            raise ValueError("start_sigma must be given with a denoise below 1 only")
        return None
    if max(steps) / denoise > MAX_STEPS:
        raise ValueError(f"steps: {max(steps)} at denoise {denoise:g} are the end of more than {MAX_STEPS} steps")
    if sigma is None:
        if default is None:
            raise ValueError(f"denoise: the host has no schedule that says where a run at denoise {denoise:g} starts")
        sigma = float(default(_FINE)[-(int(_FINE * denoise) + 1)])
    return PartialStart(denoise, float(np.float32(sigma)), sigma_range)
