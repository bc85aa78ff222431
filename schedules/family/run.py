"""The family's coefficients for a run of the fitted sampler that is told its sigmas alone: the list says scale and
stretch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from torch import Tensor

from ..core.noise_space import SigmaRange
from .learned import LEAST_STEPS, MOST_STEPS, Family, known_versions, load_family
from .place import FamilyPlace
from .placing import SCALES, STRETCHES, certainty, unplaced, whole_hundredths
from .schedule import family_coefficients, family_sigmas
from .typical import typical_scale

# A list printed with five digits is still the family's; one of similar shape, with a scale of its own, is not. Near a
# flow model's 1 a step in scale hardly moves a level, but digits there are finer too.
_SAME_SIGMA, _FINEST = 1e-4, 0.1


class FamilyCoefficients:
    """The family as a source of coefficients: recognises its own lists, of every version that is here.

    Args:
        sigma_range: of the running model.
        guidance: of the run, 1 where the host does not tell it.
        place: where a fit has found the model, whose version and numbers then count; None for the family as it is.
    """

    def __init__(
        self,
        sigma_range: SigmaRange,
        guidance: float = 1.0,
        place: FamilyPlace | None = None,
    ) -> None:
        self.sigma_range = sigma_range
        self.guidance = guidance
        self.place = place

    def rows(self, sigmas: Tensor) -> Tensor | None:
        """(steps, 1 + 4) rows for a run on a list of the family, or on a part of one; None for any other."""
        listed, flow = sigmas.detach().cpu().float(), self.sigma_range.flow
        versions = known_versions() if self.place is None else (self.place.version,)
        for version in versions:
            family = self._family(version, len(listed) - 1)
            known = recognised(family, listed, self.sigma_range)
            match = self._part(version, listed) if known is None else (family, known, 0)
            if match is not None:
                family, known, first = match
                whole = family_coefficients(family, known, self.guidance, flow=flow, first=first)
                return None if whole is None else whole[: len(listed) - 1]
        return None

    def _family(self, version: int, steps: int) -> Family:
        numbers = () if self.place is None else self.place.at_steps(max(1, steps)).numbers
        return load_family(version).moved(numbers, flow=self.sigma_range.flow)

    def _part(self, version: int, sigmas: Tensor) -> tuple[Family, Tensor, int] | None:
        """(family, whole list, step with which a run on an unbroken part of it starts); None for no such list.

        Few levels fit many scales and stretches, so only lists at the known place or the usual one are looked for.
        """
        if float(sigmas[-1]) == 0.0 and float(sigmas[0]) >= self.sigma_range.sigma_max * (1.0 - _SAME_SIGMA):
            return None  # a whole list, and no part of a longer one
        place, steps = self.place, len(sigmas) - 1
        usual = typical_scale(load_family(version), self.sigma_range)
        pair = whole_hundredths(*(usual if place is None else (place.scale, place.stretch)))
        for count in range(max(steps + 1, LEAST_STEPS), MOST_STEPS + 1):
            family = self._family(version, count)
            known = family_sigmas(family, count, *pair, self.sigma_range)
            first = int((known - sigmas[0]).abs().argmin())
            if _same(known[first : first + len(sigmas)], sigmas, self.sigma_range.flow):
                return family, known, first
        return None

    def why_not(self, sigmas: Tensor) -> str:
        """One sentence on why `rows` has no answer."""
        return (
            f"the family's coefficients belong to lists of sigmasmith_optimal with {LEAST_STEPS} to {MOST_STEPS} "
            f"steps, and these {len(sigmas) - 1} steps follow another list"
        )


def recognised(family: Family, sigmas: Tensor, sigma_range: SigmaRange) -> Tensor | None:
    """The family's own list (steps + 1,) that a list is, within printing; None where it is none."""
    steps = len(sigmas) - 1
    if not LEAST_STEPS <= steps <= MOST_STEPS or float(sigmas[-1]) != 0.0:
        return None
    if not bool((sigmas[1:] < sigmas[:-1]).all()) or abs(float(sigmas[0]) / sigma_range.sigma_max - 1.0) > _SAME_SIGMA:
        return None
    for log_scale, stretch in _near(family, sigmas, sigma_range):
        known = family_sigmas(family, steps, log_scale, stretch, sigma_range)
        if _same(known, sigmas, sigma_range.flow):
            return known
    return None


def _same(known: Tensor, sigmas: Tensor, flow: bool) -> bool:
    """Whether a list is a known one, within printing."""
    size = known.minimum((1.0 - known).clamp_min(_FINEST)) if flow else known
    return len(known) == len(sigmas) and bool(((known - sigmas).abs() <= _SAME_SIGMA * size).all())


def _near(family: Family, sigmas: Tensor, sigma_range: SigmaRange) -> Iterator[tuple[float, float]]:
    """(log scale, stretch), in hundredths, that bring the family's levels nearest to a list's, and their neighbours."""
    inner = np.minimum(sigmas[1:-1].double().numpy(), sigma_range.sigma_max * (1.0 - 1e-9))
    values = unplaced(inner, sigma_range)
    levels = family.at(len(sigmas) - 1, flow=sigma_range.flow).levels
    weights = certainty(values, sigma_range)
    columns = np.stack([np.ones_like(levels), levels], axis=1) * weights[:, None]
    (log_scale, stretch), *_ = np.linalg.lstsq(columns, values * weights, rcond=None)
    for up, along in sorted(product((-1, 0, 1), repeat=2), key=lambda pair: abs(pair[0]) + abs(pair[1])):
        pair = round(100.0 * log_scale + up) / 100.0, round(100.0 * stretch + along) / 100.0
        if math.log(SCALES[0]) <= pair[0] <= math.log(SCALES[1]) and STRETCHES[0] <= pair[1] <= STRETCHES[1]:
            yield pair
