"""The closed-form schedules."""

from __future__ import annotations

import inspect
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sigmasmith.schedules.core.noise_space import SigmaRange, from_ve, log_snr, to_ve
from sigmasmith.schedules.core.sigma_table import host_sigma_table
from sigmasmith.schedules.core.sigmas import check_sigmas
from sigmasmith.schedules.hosting.named_curves import CURVE_PARAMETERS, CURVES

VE = (0.0292, 14.6146)
FLOW = (0.003 / 1.002, 1.0)
ENDS_AT_SIGMA_MIN = sorted(set(CURVES) - {"beta", "family"})
NAMES = sorted(CURVES)
PARITY = 1e-5  # k-diffusion works in float32; measured 7e-6 at worst (0.002 .. 700), 2e-6 on SD's range


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float, bool]:
    if draw(st.booleans()):
        return draw(st.floats(1e-4, 0.3)), draw(st.one_of(st.just(1.0), st.floats(0.5, 0.9999))), True
    low = draw(st.floats(1e-3, 0.5))
    return low, low * draw(st.floats(1.5, 1e5)), False


@st.composite
def knobs(draw: st.DrawFn, name: str) -> dict[str, float]:
    made = {p.name: draw(st.floats(p.minimum, p.maximum)) for p in CURVE_PARAMETERS[name]}
    if "fine_ratio" in made:
        made["fine_ratio"] = min(made.values())
    return made


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(data=st.data(), ends=ranges(), steps=st.integers(1, 80))
def test_every_curve_keeps_the_contract_with_any_knobs_on_any_range(name, data, ends, steps):
    low, high, flow = ends
    sigmas = CURVES[name](steps, low, high, flow=flow, **data.draw(knobs(name)))
    assert len(check_sigmas(sigmas)) == steps + 1
    assert sigmas.dtype == torch.float32
    assert float(sigmas[0]) == np.float32(high)
    assert float(sigmas[-2]) >= np.float32(low) * (1 - 1e-4)


@pytest.mark.parametrize("name", ENDS_AT_SIGMA_MIN)
@pytest.mark.parametrize("steps", [2, 3, 20, 100])
@pytest.mark.parametrize("flow", [False, True])
def test_last_positive_sigma_is_sigma_min(name, steps, flow):
    low, high = FLOW if flow else VE
    assert float(CURVES[name](steps, low, high, flow=flow)[-2]) == np.float32(low)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 10_000])
def test_one_two_and_ten_thousand_steps_work(name, flow, steps):
    assert len(CURVES[name](steps, *(FLOW if flow else VE), flow=flow)) == steps + 1


@pytest.mark.parametrize("name", NAMES)
def test_curves_do_not_depend_on_torch_defaults(name):
    before = CURVES[name](7, *VE)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(CURVES[name](7, *VE), before)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, *VE), "steps must be a whole number from 1 to 10000, got 0"),
        ((2.5, *VE), "steps must be a whole number"),
        ((5, 14.0, 0.03), "sigma_min must be below sigma_max"),
        ((5, 0.0, 1.0), "sigma_min must be finite and > 0, got 0"),
        ((5, 0.1, math.inf), "sigma_max must be finite and > 0, got inf"),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(name, arguments, words):
    with pytest.raises(ValueError, match=words):
        CURVES[name](*arguments)


@pytest.mark.parametrize(
    ("name", "knobs", "words"),
    [
        ("karras", {"rho": 0.0}, "rho must be finite and > 0, got 0"),
        ("karras", {"rho": math.nan}, "rho must be finite and > 0, got nan"),
        ("polyexponential", {"rho": -1.0}, "rho must be finite and > 0, got -1"),
        ("tangent", {"c": 0.0}, "c must be finite and > 0, got 0"),
        ("cosine", {"offset": -0.1}, "offset must be finite and >= 0, got -0.1"),
        ("cosine", {"max_beta": 1.0}, "max_beta must be above 0 and below 1, got 1"),
        ("shifted_cosine", {"resolution_ratio": 0.0}, "resolution_ratio must be finite and > 0, got 0"),
        ("shifted_cosine", {"resolution_ratio": 1.0, "fine_ratio": 2.0}, "fine_ratio must be at most resolution_ratio"),
        ("laplace", {"beta": 0.0}, "beta must be finite and > 0, got 0"),
        ("laplace", {"mu": math.inf}, "mu must be finite, got inf"),
        ("beta", {"alpha": 0.0}, "alpha must be finite and > 0, got 0"),
        ("beta", {"table": [1.0, 2.0]}, "table must run from sigma_min to sigma_max"),
        ("beta", {"table": [2.0, 1.0]}, "table must be strictly ascending"),
        ("vp", {"beta_d": 0.0}, "beta_d must be finite and > 0, got 0"),
        ("vp", {"beta_min": -1.0}, "beta_min must be finite and >= 0, got -1"),
    ],
)
def test_bad_knobs_are_refused_by_name_and_value(name, knobs, words):
    with pytest.raises(ValueError, match=words):
        CURVES[name](5, *VE, **knobs)


def test_registered_knobs_are_the_functions_own_with_its_defaults():
    for name, function in CURVES.items():
        own = {
            p.name: p.default
            for p in inspect.signature(function).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.name not in {"flow", "table"}
        }
        assert own == {p.name: p.default for p in CURVE_PARAMETERS[name]}
        assert all(p.minimum <= p.default <= p.maximum and p.step > 0 for p in CURVE_PARAMETERS[name])


@pytest.fixture(scope="module")
def k_diffusion_sampling():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("k_diffusion.sampling", reason="pip install k-diffusion to compare with it")


@pytest.mark.parametrize("steps", [2, 5, 10, 20, 100])
@pytest.mark.parametrize("ends", [VE, (0.002, 700.0), FLOW])
@pytest.mark.parametrize(
    ("name", "theirs", "knobs"),
    [
        ("karras", "get_sigmas_karras", {}),
        ("karras", "get_sigmas_karras", {"rho": 3.0}),
        ("exponential", "get_sigmas_exponential", {}),
        ("polyexponential", "get_sigmas_polyexponential", {"rho": 1.5}),
    ],
)
def test_power_curves_equal_k_diffusion(k_diffusion_sampling, name, theirs, knobs, ends, steps):
    expected = getattr(k_diffusion_sampling, theirs)(steps, *ends, **knobs)
    assert torch.allclose(CURVES[name](steps, *ends, **knobs), expected, rtol=PARITY, atol=0)


@pytest.mark.parametrize("steps", [2, 5, 10, 20])
def test_vp_equals_k_diffusion_between_its_own_ends(k_diffusion_sampling, steps):
    expected = k_diffusion_sampling.get_sigmas_vp(steps, eps_s=1e-2)
    made = CURVES["vp"](steps, float(expected[-2]), float(expected[0]))
    # float32 leaves exp(small) - 1 five digits at the low end.
    assert torch.allclose(made, expected, rtol=5e-5, atol=0)


def test_log_snr_uniform_is_even_in_log_snr_on_both_kinds_of_model():
    for flow, (low, high) in ((False, VE), (True, FLOW)):
        value = log_snr(CURVES["log_snr_uniform"](12, low, high, flow=flow)[:-1].double(), flow=flow)
        assert np.allclose(np.diff(value), np.diff(value).mean(), rtol=2e-3)


def test_log_snr_uniform_is_exponential_on_ve_models():
    assert torch.allclose(CURVES["log_snr_uniform"](9, *VE), CURVES["exponential"](9, *VE), rtol=1e-6)


def improved_ddpm_sigmas() -> np.ndarray:
    """Sigmas of the paper's 1000-step cosine table with clipped betas, ascending."""
    bar = np.cos((np.arange(1001) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1 - bar[1:] / bar[:-1], 0.999)
    return np.sqrt(np.expm1(-np.cumsum(np.log1p(-betas))))


@pytest.mark.parametrize(("first", "last"), [(899, 99), (998, 8), (500, 0)])
def test_cosine_equals_the_table_of_improved_ddpm_at_its_timesteps(first, last):
    table = improved_ddpm_sigmas()
    for flow in (False, True):
        low, high = (float(from_ve(table[i])) if flow else table[i] for i in (last, first))
        made = CURVES["cosine"](first - last + 1, low, high, flow=flow)[:-1].double().numpy()
        expected = from_ve(table[last : first + 1][::-1]) if flow else table[last : first + 1][::-1]
        assert np.allclose(made, expected, rtol=1e-6)


def test_cosine_counts_pure_noise_as_the_clipped_end_of_the_table():
    table = improved_ddpm_sigmas()
    from_one = CURVES["cosine"](50, 0.003, 1.0, flow=True)
    from_clip = CURVES["cosine"](50, 0.003, float(from_ve(table[-1])), flow=True)
    assert from_one[0] == 1.0
    assert torch.allclose(from_one[1:], from_clip[1:], rtol=1e-5)


def test_tangent_is_even_in_the_angle():
    for flow, (low, high) in ((False, VE), (True, (0.003, 0.999))):
        sigma = CURVES["tangent"](9, low, high, flow=flow, c=0.5)[:-1].double().numpy()
        angle = np.arctan((to_ve(sigma) if flow else sigma) / 0.5)
        assert np.allclose(np.diff(angle), np.diff(angle).mean(), rtol=1e-3)


def test_tangent_on_a_flow_model_starts_at_one_without_an_edge():
    sigma = CURVES["tangent"](3, 1e-6, 1.0, flow=True)
    assert sigma[:2].tolist() == pytest.approx([1.0, 0.5], abs=1e-5)


@pytest.mark.slow
@given(ratio=st.floats(0.2, 10.0), steps=st.integers(2, 30))
def test_shifted_cosine_with_equal_ratios_is_the_tangent_of_that_scale(ratio, steps):
    for flow, ends in ((False, VE), (True, FLOW)):
        shifted = CURVES["shifted_cosine"](steps, *ends, flow=flow, resolution_ratio=ratio, fine_ratio=ratio)
        assert torch.allclose(shifted, CURVES["tangent"](steps, *ends, flow=flow, c=ratio), rtol=1e-5)


def test_larger_images_move_the_steps_to_higher_noise():
    small, large = (CURVES["shifted_cosine"](10, *VE, resolution_ratio=r) for r in (1.0, 4.0))
    assert bool((large[1:-2] > small[1:-2]).all())


def test_laplace_gathers_steps_around_mu_and_is_symmetric_there():
    low, high = math.exp(-3.0), math.exp(3.0)
    value = CURVES["laplace"](21, low, high, mu=0.0, beta=0.7)[:-1].double().log().numpy()
    assert np.allclose(value, -value[::-1], atol=1e-5)
    gaps = -np.diff(value)
    assert gaps.argmin() in (9, 10)


def test_laplace_far_from_mu_is_the_exponential_tail_whatever_mu_is():
    near, far = (CURVES["laplace"](8, 1.0, 9.0, mu=mu, beta=0.3) for mu in (-1.0, -300.0))
    assert torch.allclose(near, far, rtol=1e-5)


def test_wide_laplace_is_even_in_log_snr():
    for flow, ends in ((False, VE), (True, FLOW)):
        wide = CURVES["laplace"](8, *ends, flow=flow, beta=1e6)
        assert torch.allclose(wide, CURVES["log_snr_uniform"](8, *ends, flow=flow), rtol=1e-4)


def test_beta_of_one_and_one_is_even_in_timesteps():
    table = host_sigma_table(SigmaRange(*VE))
    made = CURVES["beta"](9, *VE, alpha=1.0, beta=1.0)[:-1].double().numpy()
    assert np.allclose(made, table[[999, 888, 777, 666, 555, 444, 333, 222, 111]], rtol=1e-5)


def test_beta_reads_the_table_it_is_given():
    table = np.exp(np.linspace(math.log(VE[0]), math.log(VE[1]), 7))
    made = CURVES["beta"](6, *VE, alpha=1.0, beta=1.0, table=table)[:-1].double().numpy()
    assert np.allclose(made, table[:0:-1], rtol=1e-6)
