"""DPM-Solver++(2M) that never extrapolates by more than half of its last difference."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..core.types import Denoiser
from ..samplers.by_name import sample_multistep
from ..samplers.rules import MULTISTEP_RULES, MultistepRule


def _capped(sigmas: Any, sigma_next: Any) -> Any:
    weights = MULTISTEP_RULES["dpmpp_2m"].weights(sigmas, sigma_next)
    rest = 1.0 - sigma_next / sigmas[0]
    correction = min(-weights[1] / rest, 0.5) * rest if len(weights) > 1 else 0.0
    return [rest + correction, -correction][: len(weights)]


_RULE = MultistepRule("denoised", 2, _capped)


def sample_capped_2m(model: Denoiser, x: Tensor, sigmas: Tensor, *given: Any, **options: Any) -> Tensor:
    """The state (B, ...) at sigmas[-1], k-diffusion's signature.

    2M replaces the output D by D + c (D - D_old), c = h / (2 h_old); here c <= 1/2, so a step that is longer than its
    last one, as hosts' flow schedules have them at their end, does not lean on a difference that was shorter.
    Source: Lu et al. 2022, arXiv:2211.01095, algorithm 2; the cap is ours. It runs as `sigmasmith_2m_weighted`: the
        weight per pixel that the name stands for lost to it, and is gone.
    Differs: equals dpmpp_2m within rounding where no step is longer than the one before it.
    """
    return sample_multistep(model, x, sigmas, *given, rule=_RULE, **options)
