"""The solver's error pixel by pixel, from the model outputs that a run makes anyway: no further model calls.

An exponential step from sigma to s uses the current output D_i (first order); DPM-Solver++(2M) adds to it

    e_i = (1 - s / sigma) * h / (2 h_old) * (D_i - D_old),   h = log(sigma / s), h_old = log(sigma_old / sigma),

so e_i is the embedded estimate of the step's error. On the step to s = 0, where h is infinite, D is continued in a
straight line over sigma: e_i = sigma / (sigma_old - sigma) * (D_i - D_old). The first step has no D_old and is judged
afterwards: e_0 = (1 - s / sigma) / 2 * (D_1 - D_0). Until the image an error shrinks by (sigma_min / s)**(1 - KAPPA);
the steps are added as if independent:

    E = sqrt(sum_i (w_i e_i)**2),   w_i = (sigma_min / max(s, sigma_min))**(1 - KAPPA).

Source: the pair is Lu et al. 2022, arXiv:2211.01095, algorithms 1 and 2. The sum over a run is ours; `python -P -m
sigmasmith.benchmarks feedback` prints how well it ranks pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..core.types import SamplerFunction

# Share of an error in x that the model keeps in D, on average over a run: between 0, where the model corrects every
# error, and 1, where it follows every one.
KAPPA = 0.5


@dataclass
class RunRecord:
    """Records of one run of a sampler. Made by `observed`.

    Attributes:
        levels: sigma of every step's start.
        squares: one (B, *spatial) tensor per step, weighted squared estimates, mean over channels.
        states: copies of x at every level, CPU; empty unless asked for.
        denoised: the last model output.
    """

    keep_states: bool = False
    levels: list[float] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    denoised: Tensor | None = None
    _older: Tensor | None = None

    def add(self, sigma: float, x: Tensor, denoised: Tensor) -> None:
        """A step begins at x (B, C, ...) with this model output.

        Raises:
            ValueError: the output holds NaN or infinity.
        """
        if not bool(torch.isfinite(denoised).all()):
            raise ValueError(
                f"model: it returned NaN or infinity at sigma {sigma:.4g}; try it in a higher precision "
                "(--force-fp32), or without the last LoRA or patch"
            )
        if self.levels:
            self._close(sigma, denoised)
        if self.levels and sigma >= self.levels[-1]:  # a restart: what came before says nothing about the next step
            self._older = None
        else:
            self._older = self.denoised
        self.levels.append(sigma)
        self.denoised = denoised
        if self.keep_states:
            self.states.append(x.detach().to("cpu", torch.float32, copy=True))

    def finish(self, sigma: float) -> None:
        """The run has ended at sigma."""
        if self.levels:
            self._close(sigma, None)
            floor = min(level for level in [*self.levels, sigma] if level > 0.0)
            self.squares = [square * floor ** (2.0 - 2.0 * KAPPA) for square in self.squares]

    def map(self) -> Tensor:
        """(B, *spatial) estimated error at the end of the run, in the units of x."""
        return torch.stack(self.squares).sum(dim=0).sqrt()

    def _close(self, sigma_next: float, newer: Tensor | None) -> None:
        """Add the square of the step from the last level; the factor sigma_min is put in at the end."""
        sigma, denoised = self.levels[-1], self.denoised
        assert denoised is not None
        if self._older is not None:
            factor = _second_order_share(self.levels[-2], sigma, sigma_next)
            difference = denoised - self._older
        elif newer is not None and 0.0 < sigma_next < sigma:
            factor, difference = 0.5 * (1.0 - sigma_next / sigma), newer - denoised
        else:
            factor, difference = 0.0, torch.zeros_like(denoised)
        reached = sigma_next if sigma_next > 0.0 else sigma
        factor *= reached ** (KAPPA - 1.0)
        self.squares.append(over_channels(difference.float().square()) * factor**2)


def _second_order_share(sigma_old: float, sigma: float, sigma_next: float) -> float:
    """Share that e_i takes of D_i - D_old; 0 where a step does not go down."""
    if not sigma_next < sigma < sigma_old:
        return 0.0
    if sigma_next == 0.0:
        return sigma / (sigma_old - sigma)
    return (1.0 - sigma_next / sigma) * math.log(sigma / sigma_next) / (2.0 * math.log(sigma_old / sigma))


def over_channels(values: Tensor) -> Tensor:
    """(B, *spatial) mean over the channels of (B, C, *spatial); (B, dim) stays as it is."""
    return values.mean(dim=1) if values.ndim > 2 else values


def observed(function: SamplerFunction, record: RunRecord) -> SamplerFunction:
    """The sampler function, with its run written into `record`; its result is unchanged.

    Called as k-diffusion's samplers are, with `callback` by name.
    """

    def sample(model: Any, x: Tensor, sigmas: Tensor, *given: Any, callback: Any = None, **options: Any) -> Tensor:
        def watch(info: dict[str, Any]) -> None:
            # A few samplers of hosts tell the index only.
            record.add(float(info.get("sigma", sigmas[min(info["i"], len(sigmas) - 1)])), info["x"], info["denoised"])
            if callback is not None:
                callback(info)

        end = function(model, x, sigmas, *given, callback=watch, **options)
        record.finish(float(sigmas[-1]))
        return end

    sample.__name__ = getattr(function, "__name__", "sample")
    return sample


def root_mean_square(error_map: Tensor, region: Tensor | None = None) -> Tensor:
    """(B,) root of the mean square of a map (B, *spatial), over a region of weights 0..1; 0 where that is empty."""
    square = error_map.flatten(1).square()
    if region is None:
        return square.mean(dim=1).sqrt()
    weight = region.flatten(1)
    return ((square * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1e-9)).sqrt()


def normalised(error_map: Tensor) -> tuple[Tensor, Tensor]:
    """(B, *spatial) in 0..1 and the (B,) error that 1 stands for: the 99.5th percentile of each image alone."""
    flat = error_map.flatten(1)
    top = flat.kthvalue(max(1, math.ceil(0.995 * flat.shape[1])), dim=1).values
    scale = top.clamp_min(1e-12).reshape(-1, *[1] * (error_map.ndim - 1))
    return (error_map / scale).clamp(0.0, 1.0), top


def worst_region(error_map: Tensor, share: float, allowed: Tensor | None = None) -> Tensor:
    """(B, *spatial) of 0 and 1: the pixels with the largest error, and their neighbours.

    Args:
        error_map: (B, *spatial).
        share: of each image's allowed pixels, above 0 to 1; without the neighbours.
        allowed: (B, *spatial) of 0 and 1; None allows all.
    Raises:
        ValueError: names the input.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    allowed = torch.ones_like(error_map) if allowed is None else allowed.to(error_map)
    if share == 1.0:
        return allowed
    chosen = torch.zeros_like(error_map).flatten(1)
    for row, (values, may) in enumerate(zip(error_map.flatten(1), allowed.flatten(1))):
        count = math.ceil(share * float(may.sum()))
        if count:
            chosen[row, torch.where(may > 0.0, values, -1.0).topk(count).indices] = 1.0
    region = chosen.reshape(error_map.shape)
    if error_map.ndim > 2:
        flat = region.reshape(-1, 1, *error_map.shape[-2:])
        region = functional.max_pool2d(flat, 3, stride=1, padding=1).reshape(error_map.shape)
    return region * allowed
