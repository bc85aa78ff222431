"""The fitted multistep sampler for lists of a preset and of the family."""

from __future__ import annotations

from functools import partial

from ..core.noise_space import SigmaRange
from ..core.types import SamplerFunction
from ..family.run import FamilyCoefficients
from ..presets.preset import Preset
from ..samplers.fitted import FirstKnown, sample_sigmasmith_multistep
from .whole_runs import preset_coefficients


def multistep_of(preset: Preset | None, sigma_range: SigmaRange, guidance: float | None) -> SamplerFunction:
    """The sampler with a preset's coefficients on that preset's lists and the family's on its own; DPM++ 2M elsewhere.

    Args:
        sigma_range: of the running model.
        guidance: of the run; None where it has none.
    """
    family = FamilyCoefficients(sigma_range, guidance or 1.0)
    own = () if preset is None else preset_coefficients(preset, family.guidance)
    return partial(sample_sigmasmith_multistep, coefficients=FirstKnown((*own, family)))
