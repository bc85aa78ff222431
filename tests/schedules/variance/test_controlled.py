"""The driver: churn, restarts, the clamp, and the noise that really comes in."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.hosting.named_curves import CURVES
from sigmasmith.schedules.variance.calls import sample_euler
from sigmasmith.schedules.variance.clamp import DataSpread
from sigmasmith.schedules.variance.control import Churn, Control, Restart
from sigmasmith.schedules.variance.controlled import RunNoise, sample_controlled
from sigmasmith.schedules.variance.eta_curves import constant, parse_curve
from sigmasmith.schedules.variance.noise import NoiseSource
from sigmasmith.schedules.variance.readout import NoiseLog
from sigmasmith.schedules.variance.steppers import OdeStepper

from .added_noise import MODES, worst_score

SIGMAS = {False: CURVES["karras"](8, 0.03, 14.6), True: CURVES["karras"](8, 0.003, 1.0)}
FINE = {False: CURVES["karras"](400, 0.03, 14.6), True: CURVES["karras"](400, 0.003, 1.0)}
QUIET = constant(0.0, "eta")


class Watched:
    """Gaussian data of std 1; writes down the sigmas and states it is called with."""

    def __init__(self, flow: bool) -> None:
        self.flow, self.sigmas, self.states = flow, [], []

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        level = float(sigma[0])
        self.sigmas.append(level)
        self.states.append(x)
        share = 1.0 - level if self.flow else 1.0
        return x * share / (share**2 + level**2)


def run(control: Control, flow: bool, log: NoiseLog | None = None, shape=(1, 4, 32, 32), callback=None, sigmas=SIGMAS):
    model, sigmas = Watched(flow), sigmas[flow]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    x = x if flow else x * (float(sigmas[0]) ** 2 + 1.0) ** 0.5
    rows = NoiseSource("white", (1,)).start(x, 0, flow=flow)
    stepper = OdeStepper(sample_euler, flow)
    end = sample_controlled(
        model, x, sigmas, None, callback,
        stepper=stepper, control=control, noise=RunNoise(rows, rows.fresh), flow=flow, log=log,
    )  # fmt: skip
    return end, model


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
@pytest.mark.parametrize("flow", [False, True], ids=["VE", "flow"])
def test_the_noise_that_is_added_has_the_variance_of_its_formula(mode, flow):
    assert worst_score(mode, flow) < 4.0


@pytest.mark.parametrize("flow", [False, True], ids=["VE", "flow"])
def test_a_plain_control_visits_every_sigma_once_from_the_first(flow):
    _, model = run(Control(eta=parse_curve("cosine 1 to 0", "eta")), flow)
    assert model.sigmas == SIGMAS[flow][:-1].tolist()


@pytest.mark.parametrize("flow", [False, True], ids=["VE", "flow"])
def test_every_state_has_the_spread_of_its_level_under_churn_restarts_and_eta(flow):
    restart = Restart(0.1, 0.6, 2)
    control = Control(eta=constant(0.7), churn=Churn(8.0), restarts=(restart,))
    _, model = run(control, flow, shape=(1, 4, 64, 64), sigmas=FINE)
    first, last = restart.nodes(FINE[flow].tolist())
    assert len(model.sigmas) == 400 + 2 * (last - first)
    for sigma, state in zip(model.sigmas, model.states):
        share = 1.0 - sigma if flow else 1.0
        assert float(state.std()) == pytest.approx((share**2 + sigma**2) ** 0.5, rel=0.03)


def test_restarts_run_the_same_levels_again_and_count_the_same_steps():
    seen = []
    restart = Restart(0.1, 0.6, 2)
    log = NoiseLog()
    _, model = run(Control(eta=QUIET, restarts=(restart,)), False, log, callback=lambda found: seen.append(found["i"]))
    levels = SIGMAS[False].tolist()
    first, last = restart.nodes(levels)
    inside = list(range(first, last))
    wanted = [*range(last), *inside, *inside, *range(last, 8)]
    assert seen == wanted
    assert model.sigmas == [levels[i] for i in wanted]
    rises = [entry for entry in log.steps if entry.note == "restart"]
    assert [(entry.sigma, entry.sigma_next) for entry in rises] == 2 * [(levels[last], levels[first])]
    assert rises[0].std == pytest.approx((levels[first] ** 2 - levels[last] ** 2) ** 0.5)


def test_churn_calls_the_model_at_the_raised_level_inside_its_window_only():
    _, model = run(Control(eta=QUIET, churn=Churn(2.0, high=5.0, low=0.2)), False)
    for level, called in zip(SIGMAS[False].tolist(), model.sigmas):
        assert called == pytest.approx(level * (1.25 if 0.2 <= level <= 5.0 else 1.0))


@pytest.mark.parametrize("flow", [False, True], ids=["VE", "flow"])
def test_a_full_clamp_holds_the_spread_at_every_level(flow):
    control = Control(eta=QUIET, clamp=constant(1.0), spread=DataSpread((1.0,)))
    _, model = run(control, flow, sigmas=FINE)
    for sigma, state in list(zip(model.sigmas, model.states))[1:]:
        share = 1.0 - sigma if flow else 1.0
        assert float(state.std((2, 3), unbiased=False).mean()) == pytest.approx((share**2 + sigma**2) ** 0.5, rel=1e-3)


def test_without_eta_churn_and_clamp_it_is_the_sampler_itself():
    end, model = run(Control(), False)
    x = model.states[0]
    assert torch.equal(end, sample_euler(Watched(False), x, SIGMAS[False]))


def test_rising_sigmas_a_list_of_another_length_and_a_nan_are_named():
    stepper, noise = OdeStepper(sample_euler, False), RunNoise(lambda a, b: torch.zeros(1), lambda: torch.zeros(1))
    settings = {"stepper": stepper, "noise": noise}
    x = torch.ones(1, 4)
    with pytest.raises(ValueError, match=r"^sigmas must fall for this sampler"):
        sample_controlled(Watched(False), x, SIGMAS[False].flip(0), control=Control(), **settings)
    control = Control(s_noise=parse_curve("list 1 0.5", "s_noise"))
    with pytest.raises(ValueError, match=r"^s_noise lists 2 values"):
        sample_controlled(Watched(False), x, SIGMAS[False], control=control, **settings)
    with pytest.raises(ModelError, match="NaN"):
        sample_controlled(lambda x, sigma: x * float("nan"), x, SIGMAS[False], control=Control(), **settings)
