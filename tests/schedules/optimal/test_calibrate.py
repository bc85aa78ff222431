"""The fit end to end: what it returns, what it costs, what it says, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.optimal.baselines import host_schedules
from sigmasmith.schedules.optimal.budget import OutOfTimeError
from sigmasmith.schedules.optimal.calibrate import calibrate, check_step_counts, sampler_name
from sigmasmith.schedules.optimal.effort import EFFORTS
from sigmasmith.schedules.optimal.metrics import geometric_mean, sample_errors
from sigmasmith.schedules.optimal.report import FITTED
from sigmasmith.schedules.optimal.rollouts import ModelError
from sigmasmith.schedules.optimal.solvers import MULTISTEP_RULES, own_sampler
from sigmasmith.schedules.sigmas import check_sigmas, finish_sigmas

from .fits import VE, Counted, Rowless, Timed, mixture, normal, range_of, small_fit, teacher_of

POOR = {"poor": lambda steps: finish_sigmas(torch.logspace(1.1648, 1.1, steps, dtype=torch.float64).numpy())}


def assert_contract(fit, flow: bool = False) -> None:
    known = range_of(flow)
    for steps, sigmas in fit.schedules.items():
        assert torch.equal(check_sigmas(sigmas), sigmas)
        assert len(sigmas) == steps + 1
        chosen = fit.report.rows[steps].chosen
        first = known.sigma_max if chosen == FITTED else float(host_schedules(known)[chosen](steps)[0])
        assert float(sigmas[0]) == pytest.approx(first, rel=1e-6)
        assert steps == 1 or float(sigmas[-2]) >= known.sigma_min * (1.0 - 1e-5)


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("sampler", [*MULTISTEP_RULES, "heun"])
def test_every_list_keeps_the_contract(sampler, flow):
    fit = small_fit(mixture(flow), normal(6), flow=flow, sampler=sampler, steps=(1, 2, 4))
    assert set(fit.schedules) == {1, 2, 4}
    assert fit.sampler == sampler
    assert_contract(fit, flow)


@pytest.mark.parametrize(("effort", "flow"), [("fast", False), ("fast", True), ("balanced", False)])
@pytest.mark.parametrize("whole", [0, 8])
@pytest.mark.parametrize("steps", [(8,), (5, 8, 10, 20)])
def test_nfe_is_what_the_denoiser_was_asked_for_and_stays_under_the_limit(flow, effort, whole, steps):
    model = Counted(mixture(flow), whole)
    fit = small_fit(model, normal(8), flow=flow, effort=effort, steps=steps)
    assert fit.nfe == pytest.approx(model.rows / 8)
    assert fit.nfe <= EFFORTS[effort].limit(steps)
    said = any("whole batch only" in note for note in fit.report.notes)
    assert said == bool(whole)
    assert_contract(fit, flow)


def test_one_count_at_effort_fast_costs_at_most_a_quarter_of_the_published_search():
    for steps in (5, 8, 10, 20):
        assert EFFORTS["fast"].limit((steps,)) <= (100 + 100 * steps) / 4


@pytest.mark.parametrize("whole", [0, 8])
def test_held_out_rows_never_influence_the_search(whole):
    """With a host schedule that never wins, what the search found is what is returned."""
    noise = normal(8)
    poisoned = noise.clone()
    poisoned[6:] = normal(2, seed=77) * torch.tensor([[3.0], [0.1]])
    first, second = (
        small_fit(Counted(mixture(), whole), rows, steps=(5, 8), baselines=POOR) for rows in (noise, poisoned)
    )
    assert [first.report.rows[steps].chosen for steps in (5, 8)] == [FITTED, FITTED]
    assert first.report.rows[5].errors != second.report.rows[5].errors
    for steps in (5, 8):
        assert torch.equal(first.schedules[steps], second.schedules[steps])


def test_search_rows_do_influence_the_search():
    other = normal(8)
    other[0] = normal(1, seed=77)[0]
    first, second = (small_fit(mixture(), rows, baselines=POOR) for rows in (normal(8), other))
    assert not torch.equal(first.schedules[5], second.schedules[5])


def test_what_is_called_fitted_starts_at_sigma_max_even_where_the_leading_host_does_not():
    late = {"late": lambda steps: finish_sigmas(torch.linspace(1.6, 0.4, steps, dtype=torch.float64).numpy())}
    found = []
    for steps in (1, 3):
        fit = small_fit(mixture(), normal(8), steps=steps, baselines=late)
        found.append(fit.report.rows[steps].errors.keys())
        if fit.report.rows[steps].chosen == FITTED:
            assert float(fit.schedules[steps][0]) == pytest.approx(VE.sigma_max, rel=1e-6)
        else:
            assert fit.report.rows[steps].errors["late"] < fit.report.rows[steps].errors[FITTED]
    assert all(set(names) == {FITTED, "late"} for names in found)


def test_reported_errors_are_those_of_runs_on_the_held_out_rows():
    noise = normal(12)
    fit = small_fit(mixture(), noise)
    reference = teacher_of(mixture(), 12, EFFORTS["fast"].teacher_nodes).end[9:]
    end = own_sampler("dpmpp_2m")(mixture(), VE.sigma_max * noise[9:], fit.schedules[5])
    row = fit.report.rows[5]
    assert row.errors[row.chosen] == pytest.approx(geometric_mean(sample_errors(end, reference)), rel=1e-3)
    assert (fit.report.held_out, fit.report.samples) == (3, 12)


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


def test_progress_is_called_after_every_call_and_ends_at_what_was_spent():
    model, told = Counted(mixture()), []

    def progress(done, total, message):
        told.append((model.calls, done, total, message))

    fit = small_fit(model, normal(8), progress=progress)
    assert [calls for calls, *_ in told] == list(range(1, model.calls + 1))
    done = [entry[1] for entry in told]
    assert done == sorted(done)
    assert done[-1] == round(fit.nfe)
    assert all(entry[1] <= entry[2] for entry in told)
    messages = list(dict.fromkeys(entry[3] for entry in told))
    assert messages[0] == "teacher"
    assert messages[-1] == "held-out check"
    assert any("5 steps" in message for message in messages)


@pytest.mark.parametrize("after", [1, 30, 63, 100])
def test_raising_from_progress_cancels_cleanly(after):
    class CancelledError(Exception):
        pass

    model = Counted(mixture())

    def progress(*_):
        if model.calls == after:
            raise CancelledError

    with pytest.raises(CancelledError):
        small_fit(model, normal(8), progress=progress)
    assert model.calls == after


def test_enough_minutes_change_nothing(monkeypatch):
    timed, free = Timed().fit(monkeypatch, minutes=60.0), small_fit(mixture(), normal(8))
    assert timed.nfe == free.nfe <= EFFORTS["fast"].limit((5,))
    assert torch.equal(timed.schedules[5], free.schedules[5])


def test_at_the_end_of_the_minutes_the_best_so_far_is_returned(monkeypatch):
    model = Timed()
    fit = model.fit(monkeypatch, minutes=1.7, steps=(5, 8), baselines=POOR)
    assert model.now <= 60.0 * 1.7 + 5.0
    assert fit.nfe == pytest.approx(model.now)
    assert any("minutes were used up" in note for note in fit.report.notes)
    assert set(fit.schedules) == {5, 8}
    assert fit.report.rows[5].chosen == FITTED
    assert_contract(fit)


def test_steps_that_there_was_no_time_for_get_a_host_schedule(monkeypatch):
    fit = Timed().fit(monkeypatch, minutes=2.0, steps=(5, 8, 10, 20))
    missing = [steps for steps in (5, 8, 10, 20) if FITTED not in fit.report.rows[steps].errors]
    assert missing
    assert any(f"no time to fit {', '.join(map(str, missing))} steps" in note for note in fit.report.notes)
    assert_contract(fit)


@pytest.mark.parametrize("minutes", [1.2, 1.5, 1.7, 2.2, 3.0])
def test_whatever_was_reached_is_returned_for_every_count(monkeypatch, minutes):
    model = Timed()
    fit = model.fit(monkeypatch, minutes=minutes, steps=(5, 8, 10, 20))
    assert model.now <= 60.0 * minutes + 1.0
    assert set(fit.schedules) == {5, 8, 10, 20}
    unchecked = [str(steps) for steps, row in fit.report.rows.items() if not row.errors]
    said = f"no time for the held-out check of {', '.join(unchecked)} steps" in str(fit.report)
    assert said == bool(unchecked)
    assert_contract(fit)


@pytest.mark.parametrize("minutes", [0.001, 0.5, 0.9])
def test_minutes_too_few_for_the_teacher_raise(monkeypatch, minutes):
    with pytest.raises(OutOfTimeError):
        Timed().fit(monkeypatch, minutes=minutes)


@pytest.mark.parametrize("flow", [False, True])
def test_a_model_whose_teachers_disagree_is_not_fitted_and_the_report_says_so(flow):
    def distilled(x, sigma):
        # The output jumps with sigma, as that of a model trained at four levels only does in between.
        return mixture(flow)(x, sigma) + 2.0 * torch.sin(400.0 * sigma.log())[:, None]

    model = Counted(distilled)
    fit = small_fit(model, normal(8), flow=flow, steps=(4, 8))
    assert "Nothing was fitted" in str(fit.report)
    assert "distilled" in str(fit.report)
    for steps in (4, 8):
        row = fit.report.rows[steps]
        assert FITTED not in row.errors
        assert row.chosen == row.best_host
        theirs = host_schedules(range_of(flow))[row.chosen](steps)
        assert torch.equal(fit.schedules[steps], theirs)
    assert fit.nfe == pytest.approx(model.rows / 8)


def test_a_host_schedule_that_wins_is_returned_and_named():
    """Held-out rows that are another model's than the search rows: there its own schedule must win."""
    kinds = torch.tensor([0.0] * 6 + [1.0] * 2)

    def model(x, sigma, kind):
        early = mixture()(x, sigma)
        late = 0.04 * x / (0.04 + sigma[:, None] ** 2)
        return torch.where(kind[:, None] > 0.5, late, early)

    noise = normal(8)
    wise = small_fit(model, noise, baselines=POOR, extra_args={"kind": torch.ones(8)}, effort="balanced").schedules[5]
    hosts = {**POOR, "wise": lambda steps: wise}
    fit = small_fit(model, noise, baselines=hosts, extra_args={"kind": kinds}, effort="balanced")
    row = fit.report.rows[5]
    assert row.errors["wise"] < row.errors[FITTED]
    assert row.chosen == "wise"
    assert torch.equal(fit.schedules[5], wise)
    assert "At 5 steps the host's wise was better than the fit" in str(fit.report)
    assert fit.to_preset().origin[5] == "wise"


def test_the_leading_hosts_are_compared_at_effort_fast_and_the_others_named():
    fit = small_fit(mixture(), normal(8))
    compared = set(fit.report.rows[5].errors) - {FITTED}
    assert "simple" in compared
    assert len(compared) == 4
    assert compared | set(fit.report.skipped) == set(host_schedules(VE))
    assert all(name in str(fit.report) for name in fit.report.skipped)


def test_all_hosts_are_compared_at_effort_balanced():
    fit = small_fit(mixture(), normal(16), effort="balanced")
    assert set(fit.report.rows[5].errors) - {FITTED} == set(host_schedules(VE))
    assert fit.report.skipped == ()


@pytest.mark.parametrize("flow", [False, True])
def test_eight_fitted_steps_beat_every_host_schedule_on_fresh_noise(flow):
    known, fresh = range_of(flow), normal(64, seed=5)
    fit = small_fit(mixture(flow), normal(32), flow=flow, steps=8, effort="balanced")
    reference = teacher_of_noise(fresh, flow)
    errors = {
        name: geometric_mean(sample_errors(run_on(fresh, schedule(8), flow), reference))
        for name, schedule in host_schedules(known).items()
    }
    ours = geometric_mean(sample_errors(run_on(fresh, fit.schedules[8], flow), reference))
    assert fit.report.rows[8].chosen == FITTED
    assert ours < min(errors.values())


def run_on(noise: torch.Tensor, sigmas: torch.Tensor, flow: bool) -> torch.Tensor:
    return own_sampler("dpmpp_2m")(mixture(flow), float(sigmas[0]) * noise, sigmas)


def teacher_of_noise(noise: torch.Tensor, flow: bool) -> torch.Tensor:
    known = range_of(flow)
    levels = (
        torch.logspace(0.0, 1.0, 400, base=known.sigma_min / known.sigma_max, dtype=torch.float64) * known.sigma_max
    )
    fine = finish_sigmas(levels.numpy())
    return own_sampler("heun")(mixture(flow), known.sigma_max * noise.double(), fine.double())


@pytest.mark.parametrize("steps", [8, [8], (8, 8), (8, 5, 8), (5, 8)])
def test_step_counts_may_come_in_any_order_and_repeat(steps):
    assert check_step_counts(steps) == ((8,) if steps in (8, [8], (8, 8)) else (5, 8))


def test_unsorted_repeated_counts_are_fitted_as_sorted_ones():
    first, second = (small_fit(mixture(), normal(6), steps=steps) for steps in ((8, 5, 8), (5, 8)))
    assert list(first.schedules) == [5, 8]
    assert all(torch.equal(first.schedules[k], second.schedules[k]) for k in (5, 8))
    assert first.nfe == second.nfe


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


def test_two_fits_give_equal_bits():
    first, second = (small_fit(mixture(), normal(8), steps=(5, 8)) for _ in range(2))
    for steps in (5, 8):
        assert torch.equal(first.schedules[steps], second.schedules[steps])
    assert first.report.rows == second.report.rows
    assert first.nfe == second.nfe


def test_a_fit_depends_on_no_global_random_state_and_leaves_it_alone():
    torch.manual_seed(1)
    first = small_fit(mixture(), normal(6))
    before = torch.get_rng_state()
    second = small_fit(mixture(), normal(6))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.schedules[5], second.schedules[5])


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
    assert calls
    assert set(calls) == {5}
    assert_contract(fit)


def test_nan_from_the_model_ends_the_fit_and_names_sigma_and_sample():
    def model(x, sigma):
        out = mixture()(x, sigma)
        out[4, 0] = torch.where(sigma[4] < 1.0, float("nan"), out[4, 0])
        return out

    with pytest.raises(ModelError, match=r"sigma 0\.\d+ \(call \d+\) for sample 4"):
        small_fit(model, normal(6))


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
    ({"effort": "heroic"}, "effort must be one of fast, balanced, thorough, got 'heroic'"),
    ({"steps": 0}, "steps must be a whole number from 1 to 10000, got 0"),
    ({"steps": (5, -1)}, "steps must be a whole number .*got -1"),
    ({"steps": (5.5,)}, "steps must be a whole number .*got 5.5"),
    ({"steps": (20_000,)}, "steps must be a whole number .*got 20000"),
    ({"steps": ()}, "steps must name at least one step count"),
    ({"denoiser": None}, "denoiser must be given"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[f"{next(iter(c))}-{i}" for i, (c, _) in enumerate(BAD)])
def test_bad_input_is_refused_by_name_before_the_model_is_called(change, message):
    model = Counted(mixture())
    given = {"denoiser": model, "noise": normal(4), "sigma_min": VE.sigma_min, "sigma_max": VE.sigma_max, "steps": 5}
    given |= change
    with pytest.raises(ValueError, match=message):
        calibrate(given.pop("denoiser"), given.pop("noise"), **given)
    assert model.calls == 0


def test_a_baseline_that_breaks_the_contract_is_named():
    rising = {"rising": lambda steps: torch.linspace(0.0, 1.0, steps + 1)}
    with pytest.raises(ValueError, match="rising must be strictly decreasing"):
        small_fit(mixture(), normal(4), baselines=rising)
