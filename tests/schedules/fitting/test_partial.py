"""Fits below denoise 1: where they start, what they are compared with, and how hosts get at them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.core.sigmas import (
    MAX_STEPS,
    check_sigmas,
    finish_sigmas,
    noise_level_start,
    steps_before_truncation,
)
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.partial import PartialStart, partial_start
from sigmasmith.schedules.fitting.teacher_levels import teacher_sigmas
from sigmasmith.schedules.hosts.schedules import host_schedules
from sigmasmith.schedules.samplers.by_name import own_sampler
from sigmasmith.schedules.samplers.fitted import NAME

from .fits import VE, Counted, mixture, normal, range_of, small_fit
from .recorded import Counting, Interrupted


def start_of(denoise: float, flow: bool) -> PartialStart:
    known = range_of(flow)
    start = partial_start(denoise, None, known, host_schedules(known)["simple"], (5,))
    assert start is not None
    return start


@pytest.fixture(scope="module")
def fits() -> dict[bool, Calibration]:
    return {flow: small_fit(mixture(flow), normal(8), flow=flow, steps=(5, 8), denoise=0.5) for flow in (False, True)}


@pytest.mark.parametrize("flow", [False, True])
def test_runs_start_where_the_hosts_default_does_at_this_denoise(flow):
    for denoise in (0.2, 0.5, 0.8):
        simple = host_schedules(range_of(flow))["simple"](100)
        assert start_of(denoise, flow).sigma == pytest.approx(float(simple[-(round(100 * denoise) + 1)]), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
@settings(max_examples=25, deadline=None)
@given(denoise=st.floats(0.05, 0.98), steps=st.integers(1, 40))
def test_every_host_schedule_is_cut_at_the_start_and_keeps_the_contract(flow, denoise, steps):
    start = start_of(denoise, flow)
    for name, schedule in host_schedules(range_of(flow)).items():
        sigmas = start.cut(schedule)(steps)
        assert torch.equal(check_sigmas(sigmas, name=name), sigmas)
        assert len(sigmas) == steps + 1
        assert float(sigmas[0]) == start.sigma


def test_a_host_without_its_default_is_asked_for_it_below_denoise_1_alone():
    known = range_of(False)
    assert partial_start(1.0, None, known, None, (5,)) is None
    with pytest.raises(ValueError, match=r"denoise: the host has no schedule that says where a run at denoise 0\.5"):
        partial_start(0.5, None, known, None, (5,))


def test_a_cut_that_a_host_can_make_itself_is_that_tail():
    start = start_of(0.5, False)
    karras = host_schedules(VE)["karras"]
    exact = PartialStart(0.5, float(karras(20)[10]), VE)
    assert torch.allclose(exact.cut(karras)(10), karras(20)[10:], rtol=1e-5)
    # Between two counts it begins at the start and lies between their tails.
    cut = start.cut(karras)(10)
    tails = [karras(full)[-11:] for full in range(10, 60)]
    above = min((tail for tail in tails if tail[0] >= start.sigma), key=lambda tail: float(tail[0]))
    below = max((tail for tail in tails if tail[0] <= start.sigma), key=lambda tail: float(tail[0]))
    assert bool((cut[1:-1] <= above[1:-1] * 1.0001).all())
    assert bool((cut[1:-1] >= below[1:-1] * 0.9999).all())


@pytest.mark.parametrize("flow", [False, True])
@settings(max_examples=40, deadline=None)
@given(denoise=st.floats(0.05, 0.98), steps=st.integers(1, 60))
def test_a_host_that_cuts_the_whole_list_gets_what_was_fitted_to_the_last_bit(flow, denoise, steps):
    start = start_of(denoise, flow)
    part = finish_sigmas(np.geomspace(start.sigma, range_of(flow).sigma_min, steps))
    whole = start.whole(part)
    assert torch.equal(check_sigmas(whole), whole)
    assert len(whole) - 1 == steps_before_truncation(steps, denoise)
    assert torch.equal(whole[-(steps + 1) :], part)
    if len(whole) > len(part):
        assert float(whole[0]) == pytest.approx(range_of(flow).sigma_max, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("flow", [False, True])
def test_a_fit_is_given_by_its_denoise_and_reported_by_the_steps_that_run(fits, flow):
    fit, start = fits[flow], start_of(0.5, flow)
    assert set(fit.report.rows) == {5, 8}
    assert set(fit.schedules) == {10, 16}
    for steps in (5, 8):
        sigmas = fit.sigmas(steps, 0.5)
        assert torch.equal(sigmas, fit.schedules[2 * steps][-(steps + 1) :])
        assert float(sigmas[0]) == pytest.approx(start.sigma, rel=1e-6)
        assert fit.is_fitted(steps, 0.5)
        assert not fit.is_fitted(steps)
    assert "denoise 0.5" in str(fit.report)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.slow
def test_it_beats_the_cut_schedules_of_the_hosts_on_images_it_never_saw(fits, flow):
    """The mixture's own samples, noised: not what the teacher made of the calibration's noises."""
    known, start, model = range_of(flow), start_of(0.5, flow), mixture(flow)
    whole = finish_sigmas(teacher_sigmas(200, known))
    images = own_sampler("dpmpp_2m")(model, normal(64, seed=50) * known.sigma_max, whole, extra_args={})
    noise = normal(64, seed=51)
    x = (1.0 - start.sigma) * images + start.sigma * noise if flow else images + start.sigma * noise
    fine = finish_sigmas(teacher_sigmas(200, start.window, cold=True))
    reference = own_sampler("dpmpp_2m")(model, x, fine, extra_args={})

    def error(sigmas: torch.Tensor) -> float:
        return geometric_mean(sample_errors(own_sampler("dpmpp_2m")(model, x, sigmas, extra_args={}), reference))

    for steps in (5, 8):
        hosts = [error(start.cut(made)(steps)) for made in host_schedules(known).values()]
        assert error(fits[flow].sigmas(steps, 0.5)) < 1.03 * min(hosts)


@pytest.mark.parametrize("flow", [False, True])
def test_noise_level_mode_gives_the_very_list_where_it_starts_there(flow):
    start = noise_level_start(0.35, range_of(flow))
    fit = small_fit(mixture(flow), normal(6), flow=flow, denoise=0.35, start_sigma=start)
    assert torch.equal(fit.sigmas(5, 0.35, "noise_level"), fit.sigmas(5, 0.35))
    assert float(fit.sigmas(5, 0.35)[0]) == pytest.approx(start, rel=1e-6)


def test_a_file_keeps_what_the_fit_was_for(fits, tmp_path):
    fits[False].save(tmp_path / "half.safetensors")
    loaded = Calibration.load(tmp_path / "half.safetensors")
    assert loaded.denoise == 0.5
    assert torch.equal(loaded.sigmas(5, 0.5), fits[False].sigmas(5, 0.5))
    assert loaded.report.rows[5].errors == fits[False].report.rows[5].errors


@pytest.mark.parametrize("flow", [False, True])
def test_own_images_are_started_from_as_they_are(flow):
    known, start = range_of(flow), start_of(0.4, flow)
    x = normal(6, seed=3) * (start.sigma + 0.2)
    seen = []

    def model(x, sigma):
        if len(x) == 6 and float(sigma[0]) == pytest.approx(start.sigma, rel=1e-6):
            seen.append(x.clone())
        assert float(sigma[0]) < known.sigma_max * 0.99  # no image had to be made first
        return mixture(flow)(x, sigma)

    fit = small_fit(model, normal(6), flow=flow, denoise=0.4, x=x)
    assert seen
    assert all(torch.equal(state, x) for state in seen)
    assert float(fit.sigmas(5, 0.4)[0]) == pytest.approx(start.sigma, rel=1e-6)


def test_images_are_noised_with_noise_that_they_were_not_made_of():
    """The start states of the runs lie at the distance that independent noise puts them at."""
    start = start_of(0.5, False)
    seen = []

    def model(x, sigma):
        if len(x) == 8 and float(sigma[0]) == pytest.approx(start.sigma, rel=1e-6):
            seen.append(x.clone())
        return mixture()(x, sigma)

    noise = normal(8)
    small_fit(model, noise, denoise=0.5)
    images = seen[-1] - start.sigma * noise.roll(1, dims=0)
    fine = finish_sigmas(teacher_sigmas(200, VE))
    expected = own_sampler("dpmpp_2m")(mixture(), noise * VE.sigma_max, fine, extra_args={})
    assert geometric_mean(sample_errors(images, expected)) < 0.01


@pytest.mark.slow
def test_making_the_images_is_all_that_comes_on_top_of_the_limit():
    model = Counted(mixture())
    fit = small_fit(model, normal(8), steps=(5, 8, 10), denoise=0.5)
    plan = EFFORTS["fast"]
    assert fit.nfe == pytest.approx(model.rows / 8, abs=1e-9)
    assert fit.nfe <= plan.limit((5, 8, 10)) + plan.teacher_nodes


@pytest.mark.parametrize("stop_after", [50, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (20, 80))])
@pytest.mark.usefixtures("slow_calls")
def test_an_interrupted_fit_goes_on_and_ends_the_same(tmp_path, stop_after):
    counted, resumed = Counting(), Counting()
    whole = small_fit(counted, normal(8), denoise=0.5)
    with pytest.raises(Interrupted):
        small_fit(Counting(stop_after), normal(8), denoise=0.5, journal=tmp_path / "unfinished")
    found = small_fit(resumed, normal(8), denoise=0.5, journal=tmp_path / "unfinished")
    assert torch.equal(found.sigmas(5, 0.5), whole.sigmas(5, 0.5))
    # Calls of runs that share their beginning are repeated, and each part asks the probe and begins the self-test.
    assert resumed.calls <= counted.calls - stop_after + 10 + 2 + 4


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("nodes", [5, 7, 24, 48])
def test_a_teacher_that_starts_cold_has_as_many_levels_and_a_finer_first_step(flow, nodes):
    window = start_of(0.5, flow).window
    cold, warm = teacher_sigmas(nodes, window, cold=True), teacher_sigmas(nodes, window)
    assert len(cold) == len(warm) == nodes
    assert cold[0] == warm[0] == window.sigma_max
    assert cold[-1] == warm[-1] == window.sigma_min
    assert bool((np.diff(cold) < 0).all())
    if nodes > 6:
        assert np.log(cold[0] / cold[1]) < 0.2 * np.log(warm[0] / warm[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"denoise": 0.0}, "denoise must be above 0"),
        ({"denoise": 1.5}, "denoise must be above 0"),
        ({"denoise": float("nan")}, "denoise must be above 0"),
        ({"start_sigma": 1.0}, "start_sigma must be given with a denoise below 1"),
        ({"denoise": 0.5, "start_sigma": 0.03}, "denoise 0.5 starts at sigma 0.03; it must lie between 0.0584"),
        ({"denoise": 0.5, "start_sigma": 20.0}, "and 14.61.*sigma_max"),
        ({"denoise": 0.5, "sampler": NAME}, f"denoise: {NAME} is fitted for whole runs"),
        ({"denoise": 0.5, "boundary": 1.0}, "denoise: a fit of two models"),
        ({"denoise": 0.001, "steps": 20}, f"steps: 20 at denoise 0.001 are the end of more than {MAX_STEPS}"),
    ],
)
def test_what_cannot_be_fitted_is_refused_by_name_before_the_model_is_called(options, message):
    model = Counted(mixture())
    with pytest.raises(ValueError, match=message):
        small_fit(model, normal(6), **options)
    assert model.calls == 0
