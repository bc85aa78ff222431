"""The driver of a controlled run: step by step, with churn, restarts and a clamp in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.finite import FiniteModel
from ..core.types import Callback, NoiseSampler
from .calls import direction
from .clamp import hold_spread
from .control import Control
from .eta_curves import constant
from .noise_steps import Form, churn_level, noisy_step, posterior_factor, raise_level
from .readout import NoiseLog, StepNoise, rms
from .steppers import Step, Stepper

_NO_ETA = constant(0.0, "eta")


@dataclass(frozen=True)
class RunNoise:
    """Where the noise of a run comes from, and what is made of it.

    Attributes:
        between: (sigma, sigma_next) -> standard normal, for a step down.
        fresh: () -> standard normal that belongs to no step.
        scale: factor of all noise that the model or the sampler's own settings ask for.
    """

    between: NoiseSampler
    fresh: Callable[[], Tensor]
    scale: float = 1.0


class HostArguments(NamedTuple):
    """Arguments of k-diffusion's samplers behind the state; there is no progress bar to `disable`."""

    extra_args: dict[str, Any] | None = None
    callback: Callback | None = None
    disable: bool | None = None


@torch.no_grad()
def sample_controlled(
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    *given: Any,
    stepper: Stepper,
    control: Control,
    noise: RunNoise,
    form: Form = "ddim",
    flow: bool = False,
    log: NoiseLog | None = None,
    **options: Any,
) -> Tensor:
    """Run a stepper under a control.

    Args:
        model, x, sigmas, given, options: as for every k-diffusion sampler; sigmas (steps + 1,) falls.
        stepper: takes the steps.
        control: its `eta` is 0 where it names none.
        form: of the stepper's noise, for the readout.
        flow: flow model.
        log: written to.
    Returns:
        (B, ...) state at sigmas[-1].
    Raises:
        ValueError: sigmas that do not fall, a list curve of another length, restarts outside the run.
        ModelError: the model returned a value that is not finite.
    """
    levels = [float(sigma) for sigma in sigmas]
    if direction(levels) > 0:
        raise ValueError("sigmas must fall for this sampler; only Sigmasmith DDIM runs them upwards")
    log, host = NoiseLog() if log is None else log, HostArguments(*given, **options)
    return _ControlledRun(FiniteModel(model), sigmas, levels, host, stepper, control, noise, form, flow, log).all(x)


@dataclass
class _ControlledRun:
    model: FiniteModel
    sigmas: Tensor
    levels: list[float]
    host: HostArguments
    stepper: Stepper
    control: Control
    noise: RunNoise
    form: Form
    flow: bool
    log: NoiseLog

    def __post_init__(self) -> None:
        given, flow = self.control, self.flow
        self.eta = (given.eta or _NO_ETA).at_steps(self.levels, flow=flow)
        self.s_noise = given.s_noise.at_steps(self.levels, flow=flow)
        self.clamp = given.clamp.at_steps(self.levels, flow=flow)
        self.restarts: dict[int, list[int]] = {}
        for restart in given.restarts:
            first, last = restart.nodes(self.levels)
            self.restarts.setdefault(last, []).extend([first] * restart.times)

    def all(self, x: Tensor) -> Tensor:
        """From the first level to the last, each restart when its lower level is reached."""
        for i in range(len(self.levels) - 1):
            x = self._step(x, i)
            for first in self.restarts.get(i + 1, ()):
                x = self._up(x, i + 1, first)
                for again in range(first, i + 1):
                    x = self._step(x, again)
        return x

    def _step(self, x: Tensor, i: int) -> Tensor:
        x, sigma, start = self._churned(x, i)
        end = self.levels[i + 1]
        drawn: list[Tensor] = []

        def noise(a: Any, b: Any) -> Tensor:
            value = self.noise.between(a, b)
            drawn.append(rms(value))
            # A two-stage sampler asks for the noise of an inner level too.
            factor = self.s_noise[i]
            if self.control.posterior:
                factor = noise_factor(self.control, factor, float(a), float(b), flow=self.flow)
            factor = factor if self.stepper.adds_noise_itself else factor * self.noise.scale
            return value if factor == 1.0 else value * factor

        step = Step(sigma, self.sigmas[i + 1], start, end, self.eta[i], noise)
        x = self.stepper.take(self.model, x, step, self.host.extra_args or {}, self._reporter(i))
        factor = noise_factor(self.control, self.s_noise[i], start, end, flow=self.flow)
        std = noisy_step(start, end, self.eta[i], flow=self.flow, form=self.form).std
        std = std * factor * self.noise.scale if std else 0.0
        eta = self.eta[i] if end else None
        self.log.steps.append(StepNoise(start, end, std, drawn[-1] if drawn else None, eta, factor))
        return hold_spread(x, end, self.control.spread, self.clamp[i], flow=self.flow) if end else x

    def _churned(self, x: Tensor, i: int) -> tuple[Tensor, Tensor, float]:
        """The state that the step starts from, and its level as a tensor and as a number."""
        level, churn = self.levels[i], self.control.churn
        steps = len(self.levels) - 1
        higher = level
        if churn.acts_at(level):
            higher = churn_level(level, steps, churn.amount, flow=self.flow, highest=self.levels[0])
        if higher == level:
            return x, self.sigmas[i], level
        return self._raised(x, level, higher, self.s_noise[i], "churn"), self.sigmas[i].new_tensor(higher), higher

    def _up(self, x: Tensor, i: int, first: int) -> Tensor:
        self.stepper.forget()
        return self._raised(x, self.levels[i], self.levels[first], self.s_noise[first], "restart")

    def _raised(self, x: Tensor, level: float, higher: float, s_noise: float, note: str) -> Tensor:
        plan, noise = raise_level(level, higher, flow=self.flow), self.noise.fresh()
        std = plan.std * s_noise * self.noise.scale
        self.log.steps.append(StepNoise(level, higher, std, rms(noise), None, s_noise, note))
        return plan.scale * x + std * noise

    def _reporter(self, i: int) -> Callback:
        """The host's callback with the step's own number: a one-step sampler counts from 0 every time."""

        def report(told: dict[str, Any]) -> None:
            if self.host.callback is not None:
                self.host.callback({**told, "i": i})

        return report


def noise_factor(control: Control, s_noise: float, sigma: float, sigma_next: float, *, flow: bool) -> float:
    """The factor of a step's noise: s_noise and the posterior's part."""
    if sigma_next == 0.0:
        return s_noise
    spread = control.spread.overall
    return s_noise * posterior_factor(sigma, sigma_next, control.posterior, sigma_data=spread, flow=flow)
