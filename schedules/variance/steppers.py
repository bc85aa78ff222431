"""One step of a controlled run, by a host's one-step sampler or by an own method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..core.noise_space import FLOW_EDGE
from ..core.types import Callback, NoiseSampler, SamplerFunction
from .noise_steps import Form, noisy_step, ve_level


@dataclass(frozen=True)
class Step:
    """Everything about one step.

    Attributes:
        sigma, sigma_next: 0-dim tensors on x's device, as hosts pass them.
        start, end: the same as numbers: reading a tensor would wait for the device.
        eta: 0..1.
        noise: for this step, already multiplied with s_noise and the posterior's factor.
    """

    sigma: Tensor
    sigma_next: Tensor
    start: float
    end: float
    eta: float
    noise: NoiseSampler


class Stepper(Protocol):
    """A way to take steps."""

    @property
    def adds_noise_itself(self) -> bool:
        """Whether the host's function multiplies the noise with its own s_noise and the model's noise scale."""
        ...

    def take(self, model: Any, x: Tensor, step: Step, extra_args: dict[str, Any], callback: Callback) -> Tensor:
        """The state after the step."""
        ...

    def forget(self) -> None:
        """Drop any history: the next state does not continue the last."""
        ...


@dataclass
class OdeStepper:
    """A deterministic one-step sampler run down to sigma_down, and noise added after it.

    For Euler on VE models this is k-diffusion's euler_ancestral. With eta 0 the sampler's own step is all there is.

    Args:
        sampler: k-diffusion's signature; it must not look beyond the two sigmas it is given.
        flow: flow model.
        noise_form: see Form.
    """

    sampler: SamplerFunction
    flow: bool
    noise_form: Form = "ddim"

    @property
    def adds_noise_itself(self) -> bool:
        return False

    def take(self, model: Any, x: Tensor, step: Step, extra_args: dict[str, Any], callback: Callback) -> Tensor:
        plan = noisy_step(step.start, step.end, step.eta, flow=self.flow, form=self.noise_form)
        # The host's own tensor where nothing is added, so that eta 0 is bit-equal to the sampler alone.
        end = step.sigma_next if plan.std == 0.0 else step.sigma.new_tensor(plan.sigma_down)
        pair = torch.stack([step.sigma, end])
        x = self.sampler(model, x, pair, extra_args=dict(extra_args), callback=callback, disable=True)
        if plan.std == 0.0:
            return x
        return plan.scale * x + plan.std * step.noise(step.sigma, step.sigma_next)

    def forget(self) -> None:
        pass


@dataclass
class NoisyStepper:
    """A host's stochastic one-step sampler, given two sigmas, the step's eta and its noise.

    Args:
        sampler: takes `noise_sampler`, and `eta` where `takes_eta`.
    """

    sampler: SamplerFunction
    takes_eta: bool = True

    @property
    def adds_noise_itself(self) -> bool:
        return True

    def take(self, model: Any, x: Tensor, step: Step, extra_args: dict[str, Any], callback: Callback) -> Tensor:
        options: dict[str, Any] = {"eta": step.eta} if self.takes_eta else {}
        # A copy of extra_args: CFG++ samplers hang a function into it at every call.
        given = {"extra_args": dict(extra_args), "callback": callback, "disable": True, "noise_sampler": step.noise}
        return self.sampler(model, x, torch.stack([step.sigma, step.sigma_next]), **given, **options)

    def forget(self) -> None:
        pass


class SdeStepper:
    """DPM-Solver++(2M) with the noise of its stochastic form, eta free in every step; eta 0 is DPM-Solver++(2M).

    Args:
        flow: flow model; then log-SNR is that of sigma / (1 - sigma), as in the hosts' stochastic samplers.
    Source: Lu et al. 2022, arXiv:2211.01095, algorithm 2 and its stochastic form, midpoint.
    Differs: equals the hosts' dpmpp_2m_sde with constant eta, and dpmpp_2m (VE) with eta 0, within float32 rounding.
        A first flow sigma of 1 is taken as 1 - FLOW_EDGE; hosts take a neighbour of it, by the model's time.
    """

    def __init__(self, flow: bool) -> None:
        self.flow = flow
        self._old: tuple[Tensor, float] | None = None  # the model's last answer, and its step in lam

    @property
    def adds_noise_itself(self) -> bool:
        return False

    def forget(self) -> None:
        self._old = None

    def take(self, model: Any, x: Tensor, step: Step, extra_args: dict[str, Any], callback: Callback) -> Tensor:
        # Log-SNR has no value at a flow sigma of 1.
        start_sigma = step.sigma.clamp(max=1.0 - FLOW_EDGE) if self.flow else step.sigma
        denoised = model(x, start_sigma * x.new_ones([x.shape[0]]), **extra_args)
        callback({"x": x, "i": 0, "sigma": step.sigma, "sigma_hat": start_sigma, "denoised": denoised})
        sigma, target = min(step.start, 1.0 - FLOW_EDGE) if self.flow else step.start, step.end
        if target == 0.0:
            return denoised
        h = math.log(ve_level(sigma) / ve_level(target)) if self.flow else math.log(sigma / target)
        gain = (1.0 - target if self.flow else 1.0) * -math.expm1(-h * (1.0 + step.eta))
        x = (target / sigma * math.exp(-h * step.eta)) * x + gain * denoised
        if self._old is not None:
            old, h_last = self._old
            x = x + (0.5 * gain * h / h_last) * (denoised - old)
        self._old = (denoised, h)
        std = target * math.sqrt(-math.expm1(-2.0 * h * step.eta))
        return x + std * step.noise(step.sigma, step.sigma_next) if std else x
