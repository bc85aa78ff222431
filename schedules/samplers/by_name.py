"""The hosts' deterministic samplers under the hosts' names. Fits without a host run these; in a host, its own run."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..core.types import Denoiser, SamplerFunction
from .fitted import NAME
from .loop import sample_linear, sample_steps
from .rules import MULTISTEP_RULES, MultistepRule


def sample_multistep(
    model: Denoiser, x: Tensor, sigmas: Tensor, *given: Any, rule: MultistepRule, **options: Any
) -> Tensor:
    """The end state of a run by a linear multistep rule.

    Args:
        model, x, sigmas, given, options: as for sample_linear, k-diffusion's.
    Differs: weights in float64; equals ComfyUI's functions of the same names within float32 rounding, deis within 5e-4.
    """
    rows = rule.coefficients(sigmas.tolist())
    return sample_linear(model, x, sigmas, *given, coefficients=rows, feature=rule.feature, **options)


def sample_heun(
    model: Denoiser, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, *given: Any, **options: Any
) -> Tensor:
    """Heun's method, 2 * steps - 1 model calls. Source: Karras et al. 2022, arXiv:2206.00364, algorithm 1."""

    def take(x: Tensor, denoised: Tensor, i: int) -> Tensor:
        sigma, sigma_next = sigmas[i], sigmas[i + 1]
        if float(sigma_next) == 0.0:
            return denoised
        d, dt = (x - denoised) / sigma, sigma_next - sigma
        ahead = x + dt * d
        d_ahead = (ahead - model(ahead, sigma_next * x.new_ones([x.shape[0]]), **(extra_args or {}))) / sigma_next
        return x + dt * 0.5 * (d + d_ahead)

    return sample_steps(model, x, sigmas, extra_args, *given, take=take, **options)


def own_sampler(name: str) -> SamplerFunction:
    """The sampler function for a host's sampler name, for fits without a host.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    if name == "heun":
        return sample_heun
    known = {**MULTISTEP_RULES, NAME: MULTISTEP_RULES["dpmpp_2m"]}  # what the fitted sampler is without coefficients
    if name not in known:
        names = ", ".join([*MULTISTEP_RULES, "heun", NAME])
        raise ValueError(f"sampler {name!r} has no host-free form; pass the host's function, or one of {names}")

    def sample(model: Denoiser, x: Tensor, sigmas: Tensor, *given: Any, **options: Any) -> Tensor:
        return sample_multistep(model, x, sigmas, *given, rule=known[name], **options)

    sample.__name__ = f"sample_{name}"
    return sample
