"""DMN: the time steps of the bound in schedules/fitting/refine/dmn.py, as its authors choose them.

Source: Xue et al. 2024, arXiv:2402.17376, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.sigmas import finish_sigmas
from ...schedules.fitting.refine.dmn import dmn_levels


def dmn_schedules(sigma_range: SigmaRange, steps: Sequence[int], power: int) -> dict[int, Tensor]:
    """Steps -> sigmas; no model is asked.

    Args:
        power: of sigma in an output's error: 1 for models of pixels, 2 for models of latents, as the authors choose.
    """
    return {count: finish_sigmas(dmn_levels(sigma_range, count, power)) for count in steps}
