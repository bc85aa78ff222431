"""Small runs of every sampler that takes its steps from one list of sigmas, for the golden numbers beside this file.

The model is made of sums, products and quotients alone, which every machine rounds in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sigmasmith.schedules.adaptive.pilot import run_pilot
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import NAME, PresetCoefficients, sample_sigmasmith_multistep
from sigmasmith.schedules.samplers.loop import sample_linear
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES
from sigmasmith.schedules.variance.calls import sample_euler
from torch import Tensor

LEVELS = {"ve": (14.6146, 7.5, 3.25, 1.5, 0.625, 0.03125, 0.0), "flow": (1.0, 0.875, 0.75, 0.5, 0.25, 0.0625, 0.0)}
# Their sums over pixels depend on the order in which a machine adds.
SUMMING = ("weighted", "pilot")
_SHAPE = (2, 1, 2, 3)


class Report:
    """A callback that keeps a digest of everything it was told."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.steps = 0

    def __call__(self, told: dict[str, Any]) -> None:
        self.steps += 1
        self._hash.update(str((told["i"], float(told["sigma"]), float(told["sigma_hat"]))).encode())
        for name in ("x", "denoised"):
            self._hash.update(np.ascontiguousarray(told[name].float().numpy()).tobytes())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:16]


def model(x: Tensor, sigma: Tensor, gain: float = 1.0, denoise_mask: Tensor | None = None) -> Tensor:
    """A denoiser that bends; with a mask it returns a fixed picture outside, as the hosts' masked models do."""
    level = sigma.reshape(-1, *[1] * (x.ndim - 1))
    denoised = gain * x / (1.0 + level * level) + 0.25 * x / (1.0 + x * x)
    return denoised if denoise_mask is None else denoised * denoise_mask + 0.5 * (1.0 - denoise_mask)


def start(sigma: float) -> Tensor:
    count = int(np.prod(_SHAPE))
    return sigma * (torch.arange(count, dtype=torch.float32).reshape(_SHAPE) * 7.0 % 11.0 - 5.0) / 3.0


def coefficients(sigmas: Tensor, order: int) -> Tensor:
    """(steps, 1 + order) Euler's, with a little of every known output, and zeros where there is none."""
    carry = sigmas[1:] / sigmas[:-1]
    rows = torch.zeros(len(carry), 1 + order)
    for i in range(len(carry)):
        for j in range(1, min(i + 1, order - 1) + 1):
            rows[i, 1 + j - 1] = 0.03125 * (-1.0) ** j
        rows[i, 0], rows[i, 1] = carry[i] + 0.015625, rows[i, 1] + 1.0 - carry[i]
    return rows


def _runs_of(kind: str) -> dict[str, Callable[[Report], Tensor]]:
    sigmas = torch.tensor(LEVELS[kind])
    x, middle = start(LEVELS[kind][0]), sigmas[:4]
    mask = {"denoise_mask": torch.tensor([1.0, 0.0, 0.5]).expand(_SHAPE)}

    def run(sampler: Callable[..., Tensor], x: Tensor, sigmas: Tensor, **extra_args: Any) -> Callable[[Report], Tensor]:
        return lambda report: sampler(model, x, sigmas, extra_args=extra_args, callback=report)

    runs = {name: run(own_sampler(name), x, sigmas) for name in [*MULTISTEP_RULES, "heun", NAME]}
    runs |= {f"{name}, part": run(own_sampler(name), x, middle, gain=0.75) for name in ("dpmpp_2m", "deis", "heun")}
    runs |= {f"{name}, mask": run(own_sampler(name), x, sigmas, **mask) for name in ("dpmpp_2m", "ipndm")}
    runs["lms, bfloat16"] = run(own_sampler("lms"), x.bfloat16(), sigmas)
    runs["res_multistep, no callback"] = lambda _: own_sampler("res_multistep")(model, x, sigmas)
    for order in (1, 2, 3, 4):
        fitted = partial(sample_linear, coefficients=coefficients(sigmas, order))
        runs[f"coefficients of order {order}"] = run(fitted, x, sigmas)
        runs[f"coefficients of order {order}, mask"] = run(fitted, x, sigmas, **mask)
    preset = PresetCoefficients({6: sigmas}, {6: coefficients(sigmas, 3)})
    fitted = partial(sample_sigmasmith_multistep, coefficients=preset, warn=lambda _: None)
    runs["fitted"] = run(fitted, x, sigmas)
    runs["fitted, part"] = run(fitted, x, middle)
    runs["fitted, bfloat16"] = run(fitted, x.bfloat16(), sigmas)
    other = PresetCoefficients({6: 0.9 * sigmas}, preset.coefficients)
    unknown = partial(sample_sigmasmith_multistep, coefficients=other, warn=lambda _: None)
    runs["fitted, other sigmas"] = run(unknown, x, sigmas[1:])
    runs["variance, euler"] = run(sample_euler, x, sigmas)
    runs["variance, euler upwards"] = run(sample_euler, 0.1 * x, sigmas[:-1].flip(0))
    runs["pilot"] = lambda report: _pilot(x, kind)
    return runs


def _pilot(x: Tensor, kind: str) -> Tensor:
    high, low = LEVELS[kind][0], 0.001 if kind == "flow" else LEVELS[kind][-2]  # the flow range of no shift
    pilot = run_pilot(DirectRun(model, x, {}), slice(0, 2), SigmaRange(low, high, flow=kind == "flow"), calls=9)
    rates = [torch.from_numpy(pilot.rates[order].sum(axis=0)).float() for order in sorted(pilot.rates)]
    return torch.cat([pilot.end.flatten(), *rates])


def all_runs() -> dict[str, Callable[[Report], Tensor]]:
    """Name -> run(report) -> end state."""
    return {f"{kind}: {name}": run for kind in LEVELS for name, run in _runs_of(kind).items()}
