"""What a fit takes: conditionings, step counts, latents and samplers of any kind, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.core.finite import ModelError
from sigmasmith.schedules.fitting.calibrate import calibrate
from sigmasmith.schedules.fitting.settings import sampler_name, step_counts
from sigmasmith.schedules.samplers.by_name import own_sampler

from .fits import VE, Counted, Rowless, assert_contract, mixture, normal, small_fit


@pytest.mark.parametrize("kind", ["tensor", "list"])
def test_conditioning_per_row_follows_its_rows_in_the_given_order(kind):
    noise, ids = normal(8), torch.arange(8)

    def model(x, sigma, row):
        row = torch.as_tensor(row)
        if float(sigma[0]) == pytest.approx(VE.sigma_max, rel=1e-6):
            assert torch.allclose(x, VE.sigma_max * noise[row], atol=1e-4)
        assert len(row) == len(x)
        return mixture(cfg=3.0)(x, sigma, labels=row % 3)

    counted = Counted(model)
    fit = small_fit(counted, noise, extra_args={"row": ids if kind == "tensor" else ids.tolist()})
    assert counted.rows < 8 * counted.calls  # parts of the batch did run alone
    assert_contract(fit)


def test_a_model_with_conditioning_of_its_own_gets_the_whole_batch_in_order():
    noise, labels = normal(8), torch.arange(8) // 3
    seen = []

    def model(x, sigma):
        if len(x) == 8 and float(sigma[0]) == pytest.approx(VE.sigma_max, rel=1e-6):
            seen.append(torch.allclose(x, VE.sigma_max * noise, atol=1e-4))
        return mixture(cfg=6.0)(x, sigma, labels=labels[: len(x)])

    counted = Counted(model)
    fit = small_fit(counted, noise)
    assert all(seen)
    assert fit.nfe == pytest.approx(counted.rows / 8)
    assert "whole batch only" in str(fit.report)


@pytest.mark.parametrize("steps", [8, [8], (8, 8), (8, 5, 8), (5, 8)])
def test_step_counts_may_come_in_any_order_and_repeat(steps):
    assert step_counts(steps) == ((8,) if steps in (8, [8], (8, 8)) else (5, 8))


@pytest.mark.slow
def test_unsorted_repeated_counts_are_fitted_as_sorted_ones():
    first, second = (small_fit(mixture(), normal(6), steps=steps) for steps in ((8, 5, 8), (5, 8)))
    assert list(first.schedules) == [5, 8]
    assert all(torch.equal(first.schedules[k], second.schedules[k]) for k in (5, 8))
    assert first.nfe == second.nfe


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 2, 3, 30])
def test_single_counts_from_one_step_to_many_are_fitted(steps):
    fit = small_fit(mixture(), normal(6), steps=steps)
    assert list(fit.schedules) == [steps]
    assert_contract(fit)


@pytest.mark.parametrize("flow", [False, True])
def test_video_latents_are_fitted_as_flat_ones_are(flow):
    noise = normal(6)
    flat = small_fit(mixture(flow), noise, flow=flow)
    video = small_fit(Rowless(mixture(flow)), noise.reshape(6, 1, 3, 2, 2), flow=flow)
    assert video.latent_shape == (1, 3, 2, 2)
    assert torch.equal(flat.schedules[5], video.schedules[5])


def test_three_rows_are_enough():
    fit = small_fit(mixture(), normal(3))
    assert (fit.report.held_out, fit.report.samples) == (2, 3)
    assert_contract(fit)


@pytest.mark.parametrize("values", [600, 20_000])
def test_latents_larger_than_their_sketches_are_fitted(values):
    variance = torch.linspace(0.05, 1.0, values)

    def model(x, sigma):
        return variance / (variance + sigma[:, None] ** 2) * x

    fit = small_fit(model, normal(4, values))
    assert_contract(fit)
    row = fit.report.rows[5]
    assert row.errors[row.chosen] == min(row.errors.values())


def test_a_fit_leaves_its_inputs_alone():
    noise, args = normal(6), {"labels": torch.arange(6) % 3}
    small_fit(mixture(cfg=2.0), noise, extra_args=args)
    assert torch.equal(noise, normal(6))
    assert args["labels"].tolist() == [0, 1, 2, 0, 1, 2]


def test_gradients_are_not_kept():
    weight = torch.nn.Parameter(torch.tensor(1.0))
    fit = small_fit(lambda x, sigma: weight * mixture()(x, sigma), normal(4))
    assert not fit.schedules[5].requires_grad


def test_a_start_state_of_the_callers_own_is_where_runs_begin():
    start, seen = 0.5 * VE.sigma_max * normal(6) + 1.0, []

    def model(x, sigma):
        if len(x) == 6 and float(sigma[0]) == pytest.approx(VE.sigma_max, rel=1e-6):
            seen.append(torch.equal(x, start))
        return mixture()(x, sigma)

    small_fit(model, normal(6), x=start)
    assert seen
    assert all(seen)


def test_a_sampler_function_of_the_callers_own_is_run_as_it_is():
    calls = []

    def sample_mine(model, x, sigmas, extra_args=None, callback=None, disable=None):
        calls.append(len(sigmas) - 1)
        return own_sampler("euler")(model, x, sigmas, extra_args=extra_args)

    fit = small_fit(mixture(), normal(6), sampler=sample_mine)
    assert fit.sampler == sampler_name(sample_mine) == "mine"
    assert calls.count(5) > 10
    assert set(calls) == {2, 4, 5}  # at 2 and 4 the self-test runs it
    assert_contract(fit)


def test_nan_from_the_model_ends_the_fit_and_names_sigma_and_sample():
    def model(x, sigma):
        out = mixture()(x, sigma)
        out[4, 0] = torch.where(sigma[4] < 1.0, float("nan"), out[4, 0])
        return out

    with pytest.raises(ModelError, match=r"sigma 0\.\d+ \(call \d+\) for sample 4"):
        small_fit(model, normal(6))


def named(name):
    def sample(model, x, sigmas, extra_args=None, callback=None, disable=None):
        return own_sampler("euler")(model, x, sigmas, extra_args=extra_args)

    sample.__name__ = f"sample_{name}"
    return sample


BAD = [
    ({"sigma_min": 15.0}, "sigma_min must be below sigma_max, got 15.0 and 14.6146"),
    ({"sigma_min": 14.6146}, "sigma_min must be below sigma_max"),
    ({"sigma_min": 0.0}, "sigma_min must be finite and > 0"),
    ({"sigma_max": float("inf")}, "sigma_max must be finite"),
    ({"sigma_max": float("nan")}, "sigma_max must be finite"),
    ({"flow": True}, "sigma_max of a flow model must be <= 1, got 14.6146"),
    ({"noise": normal(2)}, "noise must hold at least 3 rows .*got 2"),
    ({"noise": torch.randn(5)}, r"noise must have shape \(B, ...\)"),
    ({"noise": torch.zeros(5, 0)}, r"noise must have shape \(B, ...\).*\(5, 0\)"),
    ({"noise": torch.full((4, 3), float("nan"))}, "noise must be finite"),
    ({"sampler": "dpmpp_9m"}, "sampler 'dpmpp_9m' .*euler.*dpmpp_2m.*heun"),
    ({"effort": "heroic"}, "effort must be one of quick, fast, balanced, thorough, got 'heroic'"),
    ({"steps": 0}, "steps must be a whole number from 1 to 10000, got 0"),
    ({"steps": (5, -1)}, "steps must be a whole number .*got -1"),
    ({"steps": (5.5,)}, "steps must be a whole number .*got 5.5"),
    ({"steps": (20_000,)}, "steps must be a whole number .*got 20000"),
    ({"steps": ()}, "steps must name at least one step count"),
    ({"denoiser": None}, "denoiser must be given"),
    ({"x": normal(5)}, r"x must have the shape of noise, \(4, 12\), got \(5, 12\)"),
    ({"x": normal(4, 6)}, r"x must have the shape of noise, \(4, 12\), got \(4, 6\)"),
    ({"minutes": float("nan")}, "minutes must be above 0 and finite, got nan"),
    ({"minutes": 0.0}, "minutes must be above 0 and finite, got 0.0"),
    ({"minutes": float("inf")}, "minutes must be above 0 and finite, got inf"),
    ({"steps": tuple(range(1, 66))}, "steps must name at most 64 step counts, got 65"),
    ({"sampler": [named("mine"), named("mine")]}, "sampler: two functions are called mine"),
    ({"sampler": ["euler", named("euler")]}, "sampler: two functions are called euler"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[f"{next(iter(c))}-{i}" for i, (c, _) in enumerate(BAD)])
def test_bad_input_is_refused_by_name_before_the_model_is_called(change, message):
    model = Counted(mixture())
    given = {"denoiser": model, "noise": normal(4), "sigma_min": VE.sigma_min, "sigma_max": VE.sigma_max, "steps": 5}
    given |= change
    with pytest.raises(ValueError, match=message):
        calibrate(given.pop("denoiser"), given.pop("noise"), **given)
    assert model.calls == 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: x[:1], r"denoiser must return the shape of x, \(4, 12\), it returned \(1, 12\)"),
        (lambda x: x.mean(dim=1), r"it returned \(4,\)"),
        (lambda x: x[..., None], r"it returned \(4, 12, 1\)"),
        (lambda x: (x, x), "denoiser must return a tensor, it returned a tuple"),
        (lambda x: None, "denoiser must return a tensor, it returned a NoneType"),
    ],
)
def test_an_answer_that_cannot_be_one_ends_the_fit_at_its_first_call(answer, message):
    counted = Counted(lambda x, sigma: answer(x))
    with pytest.raises(ValueError, match=message):
        small_fit(counted, normal(4))
    assert counted.calls == 1


@pytest.mark.slow
def test_the_same_function_twice_is_one_sampler():
    once, twice = (small_fit(mixture(), normal(4), sampler=names) for names in ("euler", ["euler", "euler"]))
    assert torch.equal(once.schedules[5], twice.schedules[5])


def test_a_denoiser_that_fills_one_buffer_anew_is_fitted_as_one_that_does_not():
    buffer = torch.empty(8, 12)

    def model(x, sigma):
        out = buffer[: len(x)]
        return out.copy_(mixture()(x, sigma))

    reused, fresh = small_fit(model, normal(8)), small_fit(mixture(), normal(8))
    assert torch.equal(reused.schedules[5], fresh.schedules[5])
    assert reused.report.rows[5].errors == fresh.report.rows[5].errors


def test_a_denoiser_that_works_in_place_is_fitted_as_one_that_does_not():
    def model(x, sigma):
        return x.copy_(mixture()(x, sigma))

    in_place, fresh = small_fit(model, normal(8)), small_fit(mixture(), normal(8))
    assert torch.equal(in_place.schedules[5], fresh.schedules[5])
    assert in_place.report.rows[5].errors == fresh.report.rows[5].errors


def remembering():
    calls = 0

    def model(x, sigma):
        nonlocal calls
        calls += 1
        return mixture()(x, sigma) * (1.0 + 0.01 * calls)

    return model


def running_mean():
    mean, last = torch.zeros(()), 0.0

    def model(x, sigma):
        nonlocal mean, last
        mean = 0.5 * mean.mean() if float(sigma[0]) <= last else torch.zeros(())
        mean, last = mean + mixture()(x, sigma), float(sigma[0])
        return mean

    return model


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        (lambda x, sigma: mixture()(x, sigma) + 0.1 * torch.randn_like(x), "random numbers at every call"),
        (lambda x, sigma: mixture()(x, sigma) * (1.0 + 0.1 * torch.rand(())), "random numbers at every call"),
        (remembering(), "keeps something from run to run"),
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_a_random_or_counting_denoiser_is_refused_before_a_call_that_counts(tmp_path, model, cause, recorded):
    counted, said = Counted(model), []
    with pytest.raises(ValueError, match=f"model: the same run gives another result each time .*{cause}"):
        small_fit(
            counted, normal(4), journal=tmp_path if recorded else None, progress=lambda *told: said.append(told[2])
        )
    assert counted.calls <= 12
    assert "teacher" not in said[1:]  # the probe of the records comes first


def test_a_denoiser_with_a_memory_of_its_run_is_run_whole_and_said_to_be_one():
    assert "every run was made whole" in str(small_fit(running_mean(), normal(4)).report)


def test_a_baseline_that_breaks_the_contract_is_named():
    rising = {"rising": lambda steps: torch.linspace(0.0, 1.0, steps + 1)}
    with pytest.raises(ValueError, match="rising must be strictly decreasing"):
        small_fit(mixture(), normal(4), baselines=rising)
