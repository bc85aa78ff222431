"""Every deterministic sampler that the hosts offer with a schedule of one's choice, and what it costs.

Those of schedules/samplers/rules.py, and here the ones that no fit needs. Left out: dpm_fast and dpm_adaptive, which
choose their own levels; *_cfg_pp, which change the guidance; samplers that draw noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...schedules.core.noise_space import FLOW_EDGE, SigmaRange, shift_flow, shift_of_range
from ...schedules.core.types import Denoiser, SamplerFunction
from ...schedules.samplers.by_name import own_sampler, sample_multistep
from ...schedules.samplers.rules import MULTISTEP_RULES, MultistepRule
from .uni_pc import sample_uni_pc


@dataclass(frozen=True)
class FieldSampler:
    """A sampler of the hosts.

    Args:
        run: k-diffusion's signature.
        calls: number of steps -> number of model calls.
        drops_penultimate: whether the host asks the schedule for one step more and drops the last sigma but one.
    """

    name: str
    run: SamplerFunction
    calls: Callable[[int], int]
    drops_penultimate: bool = False

    def steps_for(self, calls: int) -> int:
        """The most steps that `calls` model calls pay for; 0 where they pay for none."""
        return max((steps for steps in range(1, calls + 1) if self.calls(steps) <= calls), default=0)

    def sigmas(self, schedule: Callable[[int], Tensor], calls: int) -> Tensor | None:
        """The list that the host runs on a schedule with at most `calls` model calls; None where they pay for none."""
        steps = self.steps_for(calls)
        if steps == 0 or not self.drops_penultimate:
            return schedule(steps) if steps else None
        sigmas = schedule(steps + 1)
        return torch.cat([sigmas[:-2], sigmas[-1:]])


def host_samplers(sigma_range: SigmaRange) -> dict[str, FieldSampler]:
    """Name -> sampler, for models of one kind. `ddim` is left out: the hosts run `euler` under that name."""

    def one(steps: int) -> int:
        return steps

    def two(steps: int) -> int:
        return 2 * steps - 1

    samplers = [FieldSampler(name, own_sampler(name), one) for name in MULTISTEP_RULES if name != "ddim"]
    samplers += [
        FieldSampler("ipndm_v", _ipndm_v, one),
        FieldSampler("uni_pc", lambda *args, **kw: sample_uni_pc(*args, variant="bh1", **kw), one, True),
        FieldSampler("uni_pc_bh2", lambda *args, **kw: sample_uni_pc(*args, variant="bh2", **kw), one, True),
        FieldSampler("heun", own_sampler("heun"), two),
        FieldSampler("heunpp2", sample_heunpp2, lambda steps: max(3 * steps - 3, 1)),
        FieldSampler("dpm_2", sample_dpm_2, two, True),
        FieldSampler("exp_heun_2_x0", exp_heun(sigma_range), two),
    ]
    return {sampler.name: sampler for sampler in samplers}


def _ipndm_v_weights(sigmas: Sequence[float], sigma_next: float) -> Sequence[float]:
    """Adams-Bashforth on unequal steps as the hosts' ipndm_v has it: from the third step on its weights are not quite
    those of the polynomial through the past derivatives."""
    levels = [sigma_next, *sigmas]
    h = [new - old for new, old in pairwise(levels)]  # this step, the one before it ...
    if len(h) == 1:
        return h
    slope = h[0] / h[1] / 2
    weights = [1.0 + slope, -slope]
    if len(h) > 2:
        bend, second = (1.0 - h[0] ** 2 / (3.0 * h[1] * (h[1] + h[2]))) / 2, h[1] / h[2]
        weights = [weights[0] + bend, weights[1] - (1.0 + second) * bend, second * bend]
    if len(h) > 3:
        second, third = h[1] / h[2], h[1] * (h[1] + h[2]) / (h[2] * (h[2] + h[3]))
        two, three = h[0] + h[1], h[0] + h[1] + h[2]
        lead = (1.0 - h[0] / (3.0 * two)) / 2 + (1.0 - h[0] / (2.0 * two)) * h[0] / (6.0 * three)
        twist = lead * h[0] * two * three / (h[1] * (h[1] + h[2]) * (h[1] + h[2] + h[3]))
        weights = [
            weights[0] + twist,
            weights[1] - (1.0 + second + third) * twist,
            weights[2] + (second + third * (1.0 + h[2] / h[3])) * twist,
            -twist * third * h[1] / h[2],
        ]
    return [h[0] * weight for weight in weights]


def _ipndm_v(model: Denoiser, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
    rule = MultistepRule("derivative", 4, _ipndm_v_weights)
    return sample_multistep(model, x, sigmas, rule=rule, **kwargs)


@torch.no_grad()
def sample_dpm_2(
    model: Denoiser, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
) -> Tensor:
    """DPM-Solver-2 in k-diffusion's form: one more call at the geometric mean of both levels."""
    call = _caller(model, extra_args)
    for here, there in pairwise(sigmas.tolist()):
        denoised = call(x, here)
        if there == 0.0:
            return denoised
        middle = math.sqrt(here * there)
        half = x + (middle - here) / here * (x - denoised)
        x = x + (there - here) / middle * (half - call(half, middle))
    return x


@torch.no_grad()
def sample_heunpp2(
    model: Denoiser, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
) -> Tensor:
    """Heun++ as the hosts have it: two steps ahead, weighted by their levels over the first; 3 * steps - 3 calls."""
    call, levels = _caller(model, extra_args), sigmas.tolist()
    for i in range(len(levels) - 1):
        denoised = call(x, levels[i])
        if levels[i + 1] == 0.0:
            return denoised
        slopes, state = [(x - denoised) / levels[i]], x
        ahead = [level for level in levels[i + 1 : i + 3] if level > 0.0]
        for before, level in zip(levels[i:], ahead):
            state = state + (level - before) * slopes[-1]
            slopes.append((state - call(state, level)) / level)
        shares = [level / (len(slopes) * levels[0]) for level in ahead]
        mean = (1.0 - sum(shares)) * slopes[0]
        for share, slope in zip(shares, slopes[1:]):
            mean = mean + share * slope
        x = x + (levels[i + 1] - levels[i]) * mean
    return x


def exp_heun(sigma_range: SigmaRange) -> SamplerFunction:
    """The hosts' exp_heun_2_x0: an exponential Heun method for the denoised in half log-SNR."""
    flow = sigma_range.flow
    # The hosts move a flow model's first level off 1, where the log-SNR has no value.
    edge = float(shift_flow(1.0 - FLOW_EDGE, shift_of_range(sigma_range.sigma_min))) if flow else math.inf

    @torch.no_grad()
    def sample(
        model: Denoiser, x: Tensor, sigmas: Tensor, extra_args: dict[str, Any] | None = None, **_: Any
    ) -> Tensor:
        call, levels = _caller(model, extra_args), sigmas.tolist()
        levels[0] = edge if flow and levels[0] >= 1.0 else levels[0]
        for here, there in pairwise(levels):
            denoised = call(x, here)
            if there == 0.0:
                return denoised
            alphas = [1.0 - level if flow else 1.0 for level in (here, there)]
            h = math.log(alphas[1] / there) - math.log(alphas[0] / here)
            rest = -math.expm1(-h)  # h * phi_1(-h)
            carried = there / here * x
            denoised_ahead = call(carried + alphas[1] * rest * denoised, there)
            later = 1.0 - rest / h  # h * phi_2(-h)
            x = carried + alphas[1] * ((rest - later) * denoised + later * denoised_ahead)
        return x

    return sample


def _caller(model: Denoiser, extra_args: dict[str, Any] | None) -> Callable[[Tensor, float], Tensor]:
    return lambda x, sigma: model(x, torch.full((len(x),), sigma).to(x), **(extra_args or {}))
