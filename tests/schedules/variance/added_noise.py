"""Ways to add noise, and how far the variance that each adds is from its formula."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.calls import sample_euler
from sigmasmith.schedules.variance.control import Churn, Control, Restart
from sigmasmith.schedules.variance.controlled import RunNoise, sample_controlled
from sigmasmith.schedules.variance.eta_curves import constant, parse_curve
from sigmasmith.schedules.variance.noise import NoiseSource
from sigmasmith.schedules.variance.noise_steps import Form
from sigmasmith.schedules.variance.readout import NoiseLog
from sigmasmith.schedules.variance.steppers import OdeStepper, SdeStepper, Stepper
from torch import Tensor


@dataclass(frozen=True)
class Mode:
    """A way to add noise: settings, stepper and the form its readout goes by."""

    name: str
    control: Control
    form: Form = "ddim"
    sde: bool = False
    path: bool = False


MODES = (
    Mode("eta 0.5", Control(constant(0.5))),
    Mode("eta 1", Control(constant(1.0))),
    Mode("eta cosine 1 to 0", Control(parse_curve("cosine 1 to 0", "eta"))),
    Mode("eta 0.5, rectified", Control(constant(0.5)), form="rectified"),
    Mode("eta 0.5, 2M", Control(constant(0.5)), form="sde", sde=True),
    Mode("s_noise 1.5", Control(constant(1.0), constant(1.5))),
    Mode("posterior 0.5", Control(constant(1.0), posterior=0.5)),
    Mode("posterior 1", Control(constant(1.0), posterior=1.0)),
    Mode("eta 1, one path", Control(constant(1.0)), path=True),
    Mode("churn", Control(constant(0.0), churn=Churn(3.0))),
    Mode("restart", Control(constant(0.0), restarts=(Restart(0.1, 0.6),))),
)


class Blank:
    """A model that answers 0 everywhere: what a run ends with is then its noise alone."""

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return torch.zeros_like(x)


def worst_score(mode: Mode, flow: bool) -> float:
    """Largest distance of an added variance from its formula, in standard errors of that variance.

    The state starts at 0 and the model answers 0, so after the step that adds noise of std s the state has the variance
    of everything added so far, each piece scaled by the steps since. That sum is predicted from the readout.
    """
    sigmas = CURVES["karras"](8, 0.003, 1.0, flow=True) if flow else CURVES["karras"](8, 0.03, 14.6)
    sigmas = sigmas[1:-1] if flow else sigmas[:-1]  # ends above 0, where nothing is multiplied away
    x, log, worst = torch.zeros(1, 4, 256, 256), NoiseLog(), 0.0
    stepper: Stepper = SdeStepper(flow) if mode.sde else OdeStepper(sample_euler, flow, mode.form)
    rows = NoiseSource("path" if mode.path else "white").start(x, 11, flow=flow)
    states: list[Tensor] = []
    run = {"stepper": stepper, "control": mode.control, "noise": RunNoise(rows, rows.fresh), "form": mode.form}
    watch = lambda step: states.append(step["x"])  # noqa: E731
    states.append(sample_controlled(Blank(), x, sigmas, None, watch, **run, flow=flow, log=log))
    predicted = 0.0
    before = iter(states)  # the states that the model was asked about, and the last
    for entry in log.steps:
        if entry.sigma_next > entry.sigma:  # churn or a restart: up, without a model call
            keep = (1.0 - entry.sigma_next) / (1.0 - entry.sigma) if flow else 1.0
        else:
            worst = max(worst, _score(next(before), predicted))
            # With nothing predicted, x shrinks to what is left of its noise before new noise comes.
            keep = math.sqrt(max(entry.sigma_next**2 - (_std(entry) / entry.factor) ** 2, 0.0)) / entry.sigma
        predicted = predicted * keep**2 + _std(entry) ** 2
    return max(worst, _score(next(before), predicted))


def _score(state: Tensor, variance: float) -> float:
    """Distance of a state's variance from the predicted one, in standard errors."""
    if variance == 0.0:
        return float(state.abs().max())  # must be 0
    return abs(float(state.square().mean()) / variance - 1.0) * math.sqrt(state.numel() / 2.0)


def _std(entry: Any) -> float:
    assert entry.std is not None
    return entry.std
