"""Scale and stretch where nothing is known of a model but its range of noise levels.

A flow model's range tells more: its least sigma says by which shift the maker moved the noise levels of training and
sampling, the maker's own word on scale. The scale then grows as shift ** 1.4. The power comes from the lists that
OptimalSteps published for FLUX.1-dev (shift 3.16) and Wan (8), the only ones from large flow models: they lie at
scales of 12 and 30, and lists of the same search at 1.4 times the family's own scale on models where both are known
(benchmarks/family/published_lists.py).
"""

from __future__ import annotations

from ..core.noise_space import SigmaRange, told_shift
from .learned import Family
from .placing import SCALES

# A model that starts above this was trained to draw the picture's mean from the first step: EDM, zero terminal SNR.
WIDE = 40.0
_SHIFT_POWER = 1.4


def typical_scale(family: Family, sigma_range: SigmaRange) -> tuple[float, float]:
    """(scale, stretch) chosen for the worst model of the zoo: for flow, for SD's range, and for wider ones."""
    if sigma_range.flow:
        scale, stretch = family.typical["flow"]
        return min(scale * shift_factor(sigma_range), SCALES[1]), stretch
    return family.typical["wide" if sigma_range.sigma_max > WIDE else "ve"]


def shift_factor(sigma_range: SigmaRange) -> float:
    """The factor of the scale for a model's shift: 1 for a flow model without one, and for noise prediction."""
    return told_shift(sigma_range.sigma_min) ** _SHIFT_POWER if sigma_range.flow else 1.0
