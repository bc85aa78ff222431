"""Scale and stretch where nothing is known of a model but its range of noise levels."""

from __future__ import annotations

from ..core.noise_space import SigmaRange
from .learned import Family

# A model that starts above this was trained to draw the picture's mean from the first step: EDM, zero terminal SNR.
WIDE = 40.0


def typical_scale(family: Family, sigma_range: SigmaRange) -> tuple[float, float]:
    """(scale, stretch) chosen for the worst model of the zoo: for flow, for SD's range, and for wider ones."""
    if sigma_range.flow:
        return family.typical["flow"]
    return family.typical["wide" if sigma_range.sigma_max > WIDE else "ve"]
