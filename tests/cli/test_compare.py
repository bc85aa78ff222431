"""`compare` runs schedules at equal cost on noises that a fit with the same seed has not seen."""

import pytest
import torch
from sigmasmith.cli import comparison
from sigmasmith.cli.comparison import Table, compare, run_reference, steps_needed, summary_lines
from sigmasmith.cli.main import main
from sigmasmith.cli.named_schedules import named_schedule
from sigmasmith.cli.subjects import demo_subject
from sigmasmith.schedules.core.metrics import sample_errors

FEW = ["--model", "digits_flow", "--steps", "2", "--noises", "3"]


@pytest.fixture
def rough(monkeypatch):
    """References of few levels, where what is printed counts and not how near anything ends."""
    monkeypatch.setattr(comparison, "REFERENCE_LEVELS", 40)
    monkeypatch.setattr(comparison, "COARSE_LEVELS", 20)


@pytest.fixture(scope="module")
def subject():
    return demo_subject("digits_flow")


@pytest.fixture(scope="module")
def reference(subject):
    return run_reference(subject, 3, seed=0)


@pytest.mark.usefixtures("rough")
def test_named_schedules_are_compared_with_each_other_alone(capsys):
    assert main(["compare", "simple", "karras", "curve:laplace", "family", *FEW]) == 0
    table = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert {"simple", "karras", "curve:laplace", "family"} < set(table)
    assert "beta" not in table


@pytest.mark.usefixtures("rough")
def test_a_fit_is_compared_with_every_host_schedule(capsys):
    assert main(["compare", *FEW, "--effort", "fast", "--calibration-noises", "3"]) == 0
    out = capsys.readouterr().out
    for name in ("fitted", "simple", "beta", "oss_flux", "webui_turbo", "best other / fitted"):
        assert name in out


@pytest.mark.usefixtures("rough")
def test_a_preset_of_another_model_is_compared_with_a_warning(folder, capsys):
    arguments = ["--model", "digits_flow", "--steps", "2", "--noises", "3", "--effort", "fast"]
    assert main(["fit", *arguments, "--out", "flow.safetensors"]) == 0
    capsys.readouterr()
    assert main(["compare", "flow.safetensors", "simple", *FEW, "--cfg", "3", "--sampler", "euler"]) == 0
    warnings = capsys.readouterr().err
    assert "warning: flow: Fitted for sampler dpmpp_2m, this run uses euler." in warnings
    assert "guidance" in warnings


@pytest.mark.usefixtures("rough")
def test_several_cases_end_with_their_average(capsys):
    assert main(["compare", "karras", "simple", "--model", "digits_flow,digits_eps", *FEW[2:]]) == 0
    out = capsys.readouterr().out
    assert "All 2 tables, 2 cells, on geometric average:" in out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["karas", *FEW], "did you mean karras"),
        (["nothing.safetensors", *FEW], "nothing.safetensors: does not exist"),
        (["simple", "--model", "unheard_of"], "--model must be one of"),
        (["simple", *FEW[:-1], "1"], "--noises"),
        ([*FEW, "--calibration-noises", "2"], "--calibration-noises"),
        (["ays_sdxl", *FEW], "there is no schedule 'ays_sdxl' for this sigma range"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(capsys, arguments, named):
    assert main(["compare", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert named in printed.err
    assert len(printed.err.splitlines()) == 1


@pytest.mark.slow
def test_no_comparison_noise_is_a_noise_of_the_fit(subject, reference):
    assert not torch.isclose(subject.noise(3, 0), reference.noise).any()


@pytest.mark.slow
def test_the_reference_agrees_with_one_of_half_its_levels(reference):
    assert reference.error < 1e-3
    assert float(sample_errors(reference.coarse, reference.end).max()) < 5e-3


def test_steps_needed_is_the_first_count_that_is_good_enough(subject, reference):
    simple = named_schedule("simple", subject.sigma_range)
    table = compare(subject, reference, "euler", {"simple": simple}, [4, 5, 6], title="", focus="simple")
    errors = table.errors["simple"]
    assert errors[4] > errors[5] > errors[6]
    assert steps_needed(subject, reference, "euler", simple, errors[5], 12) == 5
    assert steps_needed(subject, reference, "euler", simple, 0.0, 12) is None


def made_table() -> Table:
    errors = {
        "fitted": {5: 0.1, 8: 0.1, 10: 0.2},
        "simple": {5: 0.4, 8: 0.1, 10: 0.1},
        "beta": {5: 0.2, 8: 0.3, 10: 0.3},
    }
    switched = {name: {5: 0, 8: 0, 10: 0} for name in errors}
    switched["fitted"][5] = 1
    return Table("made", (5, 8, 10), "fitted", "host", errors, switched)


def test_the_table_marks_the_smallest_errors_and_puts_the_focus_first():
    lines = list(made_table().lines())
    assert lines[2].split() == ["fitted", "0.1000*", "0.1000*", "0.2000"]
    assert lines[-2].split() == ["best", "host", "/", "fitted", "2.00x", "1.00x", "0.50x"]
    assert lines[-1].split() == ["simple", "/", "fitted", "4.00x", "1.00x", "0.50x"]


def test_where_the_fit_does_not_win_is_said():
    assert list(made_table().sentences()) == [
        "No gain at 8 steps: simple ends in the same place.",
        "No gain at 10 steps: simple is 100.0 % better (0.1000, not 0.2000).",
        "At 5 steps 1 samples of fitted ended in another image than the reference's.",
    ]


def test_the_summary_averages_ratios_geometrically():
    lines = list(summary_lines([made_table()]))
    assert "1.00 times lower than the best host schedule" in lines[1]
    assert "1.26 times lower than simple; 0.50 at worst, 4.00 at best" in lines[2]


@pytest.mark.usefixtures("rough")
@pytest.mark.slow
def test_the_family_is_compared_with_its_coefficients(capsys):
    given = ["--model", "digits_eps", "--steps", "6", "--noises", "4", "--calibration-noises", "4"]
    assert main(["compare", "family", *given, "--sampler", "sigmasmith_multistep"]) == 0
    with_coefficients = _error(capsys.readouterr().out)
    assert main(["compare", "family", *given, "--sampler", "dpmpp_2m"]) == 0
    assert with_coefficients < 0.9 * _error(capsys.readouterr().out)


def _error(printed: str) -> float:
    line = next(line for line in printed.splitlines() if line.strip().startswith("family "))
    return float(line.split()[1].rstrip("*"))
