"""A fit's result: schedules for any step count, and the round trip through a file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.fitting.calibration import Calibration
from sigmasmith.schedules.presets.file import load_preset
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.metadata import preset_json

from .fits import VE, mixture, normal, small_fit


@pytest.fixture(scope="module")
def fits() -> dict[bool, Calibration]:
    return {flow: small_fit(mixture(flow), normal(8), flow=flow, steps=(2, 5, 8)) for flow in (False, True)}


@pytest.mark.parametrize("flow", [False, True])
def test_a_saved_fit_loads_bit_for_bit(fits, flow, tmp_path):
    fit, path = fits[flow], tmp_path / "mine.safetensors"
    fit.save(path, name="mine")
    loaded = Calibration.load(path)
    assert set(loaded.schedules) == {2, 5, 8}
    for steps in (2, 5, 8):
        assert torch.equal(loaded.schedules[steps], fit.schedules[steps])
        assert loaded.report.rows[steps].errors == fit.report.rows[steps].errors
        assert loaded.report.rows[steps].chosen == fit.report.rows[steps].chosen
    for steps in (1, 2, 3, 8, 17, 40):
        for denoise in (1.0, 0.5, 0.35):
            assert torch.equal(loaded.sigmas(steps, denoise), fit.sigmas(steps, denoise))
    assert loaded.sigma_range.flow == flow
    assert loaded.sigma_range.sigma_min == pytest.approx(fit.sigma_range.sigma_min, rel=1e-7)
    assert loaded.sigma_range.sigma_max == pytest.approx(fit.sigma_range.sigma_max, rel=1e-7)
    assert (loaded.sampler, loaded.effort, loaded.latent_shape) == ("dpmpp_2m", "fast", (12,))


def test_facts_on_how_it_was_made_go_into_the_file_and_back(fits, tmp_path):
    path, fit = tmp_path / "mine.safetensors", fits[True]
    assert fit.made == HowMade(more=fit.made.more)
    assert set(fit.made.more) == {"gain"}
    fit.save(path)
    assert json.loads(preset_json(load_preset(path)))["version"] == 2
    assert Calibration.load(path).made == fit.made
    replace(fit, made=HowMade()).save(path)
    assert json.loads(preset_json(load_preset(path)))["version"] == 1
    made = HowMade(method="oss", boundary=0.5)
    replace(fit, made=made).save(path)
    assert Calibration.load(path).made == made
    fit.save(path, made=replace(made, models=("a", "b")))
    assert load_preset(path).made.models == ("a", "b")


def test_saving_twice_replaces_the_file(fits, tmp_path):
    path = tmp_path / "mine.safetensors"
    fits[True].save(path)
    fits[False].save(path)
    assert torch.equal(Calibration.load(path).schedules[5], fits[False].schedules[5])
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.safetensors"]


def test_the_same_fit_gives_the_same_bytes(fits, tmp_path):
    for name in ("a", "b"):
        fits[False].save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("flow", [False, True])
def test_fitted_counts_are_given_as_they_were_solved_and_others_interpolated(fits, flow):
    fit = fits[flow]
    for steps in range(1, 31):
        sigmas = fit.sigmas(steps)
        assert torch.equal(check_sigmas(sigmas), sigmas)
        assert len(sigmas) == steps + 1
        assert float(sigmas[0]) == pytest.approx(fit.sigma_range.sigma_max, rel=1e-6)
        assert fit.is_fitted(steps) == (steps in (2, 5, 8))
        if fit.is_fitted(steps):
            assert torch.equal(sigmas, fit.schedules[steps])


@pytest.mark.slow
@settings(max_examples=40)
@given(flow=st.booleans(), steps=st.integers(1, 40), low=st.floats(0.05, 1.0), high=st.floats(0.05, 1.0))
def test_the_start_never_falls_as_denoise_rises(fits, flow, steps, low, high):
    low, high = sorted((low, high))
    assert float(fits[flow].sigmas(steps, low)[0]) <= float(fits[flow].sigmas(steps, high)[0])


def test_steps_and_denoise_out_of_range_are_refused_by_name(fits):
    with pytest.raises(ValueError, match="steps must be a whole number"):
        fits[False].sigmas(0)
    with pytest.raises(ValueError, match="denoise must be above 0"):
        fits[False].sigmas(5, 1.5)


def test_the_preset_names_what_was_returned_and_holds_the_errors(fits):
    fit = fits[False]
    preset = fit.to_preset(name="mine", guidance=4.0)
    assert (preset.name, preset.guidance, preset.sampler) == ("mine", 4.0, "dpmpp_2m")
    assert preset.origin == {steps: fit.report.rows[steps].chosen for steps in (2, 5, 8)}
    assert preset.errors[5] == dict(fit.report.rows[5].errors)
    assert preset.model.sigma_max == pytest.approx(VE.sigma_max, rel=1e-7)
