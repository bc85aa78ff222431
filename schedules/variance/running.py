"""A controlled run by any route: the host's function at once with its noise wrapped, or step by step."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..core.finite import FiniteModel
from .calls import direction
from .control import Control
from .controlled import HostArguments, RunNoise, noise_factor, sample_controlled
from .noise_steps import churn_level, noisy_step, raise_level
from .readout import NoiseLog, StepNoise, rms
from .routes import HostSampler, Route


def run_route(
    route: Route,
    host: HostSampler,
    control: Control,
    noise: RunNoise,
    model: Any,
    x: Tensor,
    sigmas: Tensor,
    *given: Any,
    flow: bool,
    log: NoiseLog,
    **options: Any,
) -> Tensor:
    """Run `host` under `control` as `route` says.

    Args:
        noise: `scale` is the model's own factor; the sampler's s_noise comes from the route.
        model, x, sigmas, given, options: as for every k-diffusion sampler.
        log: written to.
    Returns:
        (B, ...) state at sigmas[-1].
    Raises:
        ValueError, ModelError: see sample_controlled.
    """
    log.how = route.how
    scaled = replace(noise, scale=noise.scale * route.factor)
    if route.stepper is not None:
        route.stepper.forget()
        settings = replace(control, eta=route.eta)
        return sample_controlled(
            model, x, sigmas, *given, **options,
            stepper=route.stepper, control=settings, noise=scaled, form=route.form or "ddim", flow=flow, log=log,
        )  # fmt: skip
    keywords = dict(route.keywords)
    if route.wrapped_noise:
        keywords["noise_sampler"] = _Wrapped(route, control, scaled, sigmas, flow, log)
    if "s_churn" in keywords:
        log.steps.extend(_planned_churn(control, sigmas))
    named = HostArguments(*given, **options)._asdict()
    return host.bound(*keywords)(FiniteModel(model), x, sigmas, **named, **keywords)


def _planned_churn(control: Control, sigmas: Tensor) -> Iterator[StepNoise]:
    """The noise that a host's own churn adds, by its formula: it draws without asking us."""
    levels = [float(sigma) for sigma in sigmas]
    for sigma in levels[:-1]:
        higher = sigma
        if control.churn.acts_at(sigma):
            higher = churn_level(sigma, len(levels) - 1, control.churn.amount, flow=False, highest=levels[0])
        factor = control.s_noise.values[0]
        yield StepNoise(sigma, higher, raise_level(sigma, higher, flow=False).std * factor, factor=factor, note="churn")


class _Wrapped:
    """A noise_sampler for a host's function that runs at once: multiplies the noise by what the control asks, and logs.

    Noise enters every such function linearly, so this is exact for those with memory too.
    """

    def __init__(
        self, route: Route, control: Control, noise: RunNoise, sigmas: Tensor, flow: bool, log: NoiseLog
    ) -> None:
        self.levels = [float(sigma) for sigma in sigmas]
        direction(self.levels)
        self.s_noise = control.s_noise.at_steps(self.levels, flow=flow)
        self.route, self.control, self.noise, self.flow, self.log = route, control, noise, flow, log

    def __call__(self, sigma: Any, sigma_next: Any) -> Tensor:
        start, end = float(sigma), float(sigma_next)
        value = self.noise.between(sigma, sigma_next)
        # The step that this level lies in; hosts ask for inner levels too, and move a first flow sigma of 1 a little.
        i = bisect.bisect_right([-level for level in self.levels], -start) - 1
        i = min(max(i, 0), len(self.s_noise) - 1)
        factor = noise_factor(self.control, self.s_noise[i], start, end, flow=self.flow)
        eta, std = self.route.eta, None
        if self.route.form is not None:
            value_eta = 1.0 if eta is None else eta.values[0]
            std = noisy_step(start, end, value_eta, flow=self.flow, form=self.route.form).std
            std *= factor * self.noise.scale
        shown = None if eta is None else eta.values[0]
        self.log.steps.append(StepNoise(start, end, std, rms(value), shown, factor))
        return value if factor == 1.0 else value * factor
