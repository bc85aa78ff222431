"""The hosts' schedules rebuilt from a sigma table: contract, known values, and where each is offered."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange, shift_flow
from sigmasmith.schedules.core.sigma_table import (
    check_table,
    host_sigma_table,
    sd_sigma_table,
    table_sigma,
    unshift_flow,
    zero_snr_sigma_table,
)
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.hosts import published as tables
from sigmasmith.schedules.hosts.schedules import host_schedules, published_lists

SD = SigmaRange(0.0291671582, 14.6146412293)
SD3 = SigmaRange(0.003 / 1.002, 1.0, flow=True)
FLUX = SigmaRange(float(shift_flow(1e-4, math.exp(1.15))), 1.0, flow=True)
SVD = SigmaRange(0.002, 700.0)
EDM = SigmaRange(0.002, 80.0)
DROPDOWN = {
    "simple",
    "sgm_uniform",
    "karras",
    "exponential",
    "ddim_uniform",
    "beta",
    "normal",
    "linear_quadratic",
    "kl_optimal",
}
ALL = [(sigma_range, name) for sigma_range in (SD, SD3, FLUX, SVD, EDM) for name in host_schedules(sigma_range)]
STARTS_LOWER = {"ddim_uniform", "oss_flux", "oss_chroma", "webui_turbo"}


def made(sigma_range: SigmaRange, name: str, steps: int) -> list[float]:
    return host_schedules(sigma_range)[name](steps).tolist()


@pytest.mark.parametrize(("sigma_range", "name"), ALL)
def test_every_host_schedule_keeps_the_contract_at_every_count(sigma_range, name):
    schedule = host_schedules(sigma_range)[name]
    for steps in (1, 2, 3, 4, 5, 7, 8, 10, 20, 33, 999, 1001, 10_000):
        sigmas = schedule(steps)
        assert len(check_sigmas(sigmas)) == steps + 1
        if name not in STARTS_LOWER:
            assert float(sigmas[0]) == pytest.approx(sigma_range.sigma_max, rel=1e-6)


@settings(max_examples=30)
@given(low=st.floats(1e-3, 0.5), factor=st.floats(1.5, 1e4), flow=st.booleans(), steps=st.integers(1, 60))
def test_any_range_of_a_model_gives_schedules_that_keep_the_contract(low, factor, flow, steps):
    sigma_range = SigmaRange(low, 1.0 if flow else low * factor, flow)
    for schedule in host_schedules(sigma_range).values():
        assert len(check_sigmas(schedule(steps))) == steps + 1


def test_the_whole_dropdown_is_offered_everywhere():
    for sigma_range in (SD, SD3, FLUX, SVD, EDM):
        assert set(host_schedules(sigma_range, webui=False)) >= DROPDOWN
        assert not [name for name in host_schedules(sigma_range, webui=False) if name.startswith("webui_")]


def test_published_lists_are_offered_only_where_they_belong():
    fixed = {sigma_range: set(host_schedules(sigma_range)) for sigma_range in (SD, SD3, SVD, EDM)}
    assert fixed[SD] >= {"ays_sd1", "ays_sdxl", "gits", "webui_ays_sdxl", "webui_gits_sd1"}
    assert fixed[SD3] >= {"oss_flux", "oss_wan", "oss_chroma"}
    assert "ays_svd" in fixed[SVD]
    for sigma_range, family in ((SD, "oss_"), (SD, "ays_svd"), (SD3, "ays_"), (SVD, "ays_sd1"), (EDM, "ays_")):
        assert not [name for name in fixed[sigma_range] if name.startswith(family)]


def test_align_your_steps_at_ten_steps_is_the_published_list_with_its_last_value_zero():
    assert made(SD, "ays_sd1", 10) == pytest.approx([*tables.AYS_SD1[:-1], 0.0])
    assert made(SD, "ays_sdxl", 10) == pytest.approx([*tables.AYS_SDXL[:-1], 0.0])
    assert made(SVD, "ays_svd", 10) == pytest.approx([*tables.AYS_SVD[:-1], 0.0])


# https://github.com/AUTOMATIC1111/stable-diffusion-webui/pull/15751: the same name, another schedule.
def test_align_your_steps_in_the_webuis_visits_the_whole_list():
    assert made(SD, "webui_ays_sdxl", 11) == pytest.approx([*tables.WEBUI_AYS_SDXL, 0.0], rel=1e-4)
    assert made(SD, "webui_ays_sdxl", 10)[-2] == pytest.approx(0.029)
    assert made(SD, "ays_sdxl", 10)[-2] == pytest.approx(0.1114188)


def test_gits_has_its_own_list_for_every_count_up_to_twenty():
    for steps, inner in enumerate(tables.GITS_INNER, start=2):
        assert len(inner) == steps - 1
        assert made(SD, "gits", steps) == pytest.approx([tables.GITS_MAX, *inner, 0.0], rel=1e-5)
    assert len(tables.GITS_INNER) == 19


def test_kl_optimal_works_at_one_step():
    assert made(SD, "kl_optimal", 1) == pytest.approx([14.6146412, 0.0])


# https://github.com/comfyanonymous/ComfyUI/issues/9247: fewer steps than asked for.
def test_beta_gives_the_asked_number_of_steps_where_the_host_drops_repeats():
    assert len(made(SD, "beta", 200)) == 201
    assert len(made(SD, "beta", 1000)) == 1001


def test_ddim_uniform_strides_by_a_whole_number_from_the_second_entry():
    table = sd_sigma_table()
    assert made(SD, "ddim_uniform", 10) == pytest.approx([*table[1::100][::-1], 0.0], rel=1e-6)
    assert len(made(SD, "ddim_uniform", 7)) == 8  # the host's own has 9


def test_linear_quadratic_is_smooth_where_the_parabola_begins():
    sigmas = np.array(made(SD3, "linear_quadratic", 40))
    steps = -np.diff(sigmas)
    assert np.allclose(steps[:20], 0.025 / 20, atol=1e-6)
    assert np.all(np.diff(steps[19:]) > 0)
    assert np.allclose(np.diff(steps[20:]), np.diff(steps[20:]).mean(), atol=1e-5)


def test_a_given_table_replaces_the_rebuilt_one():
    table = np.exp(np.linspace(math.log(SD.sigma_min), math.log(SD.sigma_max), 40))
    assert host_schedules(SD, table)["simple"](4).tolist() == pytest.approx([*table[[39, 29, 19, 9]], 0.0], rel=1e-6)
    assert "webui_turbo" not in host_schedules(SD, table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([[0.03, 14.6]], "one list of at least 2"),
        ([14.6, 0.03], "strictly ascending"),
        ([0.0292, math.nan, 14.6], "finite"),
        ([0.5, 14.6], "from sigma_min to sigma_max"),
    ],
)
def test_tables_that_cannot_be_the_models_are_refused(table, words):
    with pytest.raises(ValueError, match=words):
        check_table(table, SD)


def test_stable_diffusions_table_has_its_known_ends_and_middle():
    table = sd_sigma_table()
    assert len(table) == 1000
    assert table[[0, -1]] == pytest.approx([0.0291671582, 14.6146412293], rel=1e-6)
    assert table[499] == pytest.approx(1.6129, abs=1e-3)
    assert np.all(np.diff(host_sigma_table(SigmaRange(0.029, 14.615))) > 0)


def test_zero_snr_table_has_its_known_ends():
    ends = zero_snr_sigma_table()[[0, -1]]
    assert ends == pytest.approx([0.0291671582, 4518.76], rel=1e-4)
    rebuilt = host_sigma_table(SigmaRange(0.02917, 4518.8))
    assert rebuilt[-2] == pytest.approx(zero_snr_sigma_table()[-2], rel=1e-3)


@pytest.mark.parametrize("sigma_range", [SD, SD3, FLUX, SVD, EDM, SigmaRange(0.01, 0.9, flow=True)])
def test_tables_ascend_between_the_exact_ends_of_the_range(sigma_range):
    table = host_sigma_table(sigma_range)
    assert table[0] == sigma_range.sigma_min
    assert table[-1] == sigma_range.sigma_max
    assert np.all(np.diff(table) > 0)


def test_flow_tables_recover_shift_and_length():
    assert np.allclose(host_sigma_table(SD3), shift_flow(np.arange(1, 1001) / 1000, 3.0), rtol=1e-9)
    assert np.allclose(host_sigma_table(FLUX), shift_flow(np.arange(1, 10_001) / 10_000, math.exp(1.15)), rtol=1e-9)
    one = float(np.float32(0.001))  # shift 1 in a host's float32
    assert len(host_sigma_table(SigmaRange(one, 1.0, flow=True))) == 1000


@given(shift=st.floats(0.2, 12.0), time=st.floats(0.0, 1.0))
def test_unshifting_inverts_the_shift(shift, time):
    assert unshift_flow(shift_flow(time, shift), shift) == pytest.approx(time, abs=1e-9)


def test_fractional_indices_are_log_linear_on_ve_and_linear_on_flow_tables():
    assert table_sigma(np.array([1.0, 4.0]), 0.5, flow=False) == pytest.approx(2.0)
    assert table_sigma(np.array([0.2, 0.4]), 0.5, flow=True) == pytest.approx(0.3)


def test_schedules_do_not_depend_on_torch_defaults():
    before = {name: schedule(7) for name, schedule in host_schedules(SD).items()}
    torch.set_default_dtype(torch.float64)
    try:
        after = {name: schedule(7) for name, schedule in host_schedules(SD).items()}
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_published_lists_are_the_fixed_ones_alone_and_none_for_a_table_unlike_any():
    table = host_sigma_table(SD)
    lists = published_lists(SD, table)
    assert lists
    assert all(name.startswith(("ays_", "gits", "oss_")) for name in lists)
    assert torch.equal(lists["gits"](10), host_schedules(SD, table)["gits"](10))
    assert published_lists(SD, None) == {}
    assert published_lists(SD, table[::-1]) == {}
