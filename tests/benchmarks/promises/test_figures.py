"""The benchmark measures what it says, on models and noises few enough for a test."""

from __future__ import annotations

import math

import pytest
import torch
from sigmasmith.benchmarks.cases import CASES, STEPS, host_lists, load_case
from sigmasmith.benchmarks.promises.figures import CaseFigures, PartialErrors, host_cuts, noised
from sigmasmith.benchmarks.promises.rounding import rounded, to_fp8
from sigmasmith.benchmarks.promises.run import main
from sigmasmith.benchmarks.promises.tables import csv_rows, report
from sigmasmith.cli.subjects import demo_subject


def made_up(key: str) -> CaseFigures:
    levels: dict[int, float] = dict.fromkeys(STEPS, 0.1)
    cut: dict[int, PartialErrors] = dict.fromkeys(STEPS, PartialErrors(0.1, 0.3, 0.09, "beta (tail)"))
    return CaseFigures(
        key,
        hosts={"simple": dict.fromkeys(STEPS, 0.4), "karras": dict.fromkeys(STEPS, 0.2)},
        fitted={"balanced 64": levels, "fast 64": levels, "fast 4": levels},
        nfe={"balanced 64": 1004.0, "fast 64": 480.0, "fast 4": 470.0},
        single=dict.fromkeys(STEPS, 100.0),
        published={"euler, own states": levels, "dpmpp_2m, own states": levels},
        published_starts={"own states": 1.0},
        euler=levels,
        partial={"0.5": cut},
        partial_nfe={"0.5": 1120.0},
        rounded={"bf16": {steps: (0.1, 0.2 if steps < 20 else 0.1) for steps in (*STEPS, 40)}},
        solve_ms=2.0,
    )


def test_every_figure_is_printed_with_what_was_asked_and_whether_it_is_reached():
    lines = list(report([made_up("a"), made_up("b")]))
    found = {line.split()[0]: line for line in lines if line.strip().startswith("(")}
    assert set(found) == {"(i)", "(ii)", "(iii)", "(iv)", "(v)", "(vi)", "(vii)"}
    text = "\n".join(lines)
    assert "2.00   asked at least    1.80   reached" in text
    assert "251.00   asked at most  250.00   NOT REACHED" in text
    assert "the gain ends at 20 steps" in text
    assert "0.90 0.30 (beta (tail))" in text
    assert "fitted for whole runs: average 0.30" in text
    assert "the images included: 280.0" in text
    assert len({row[:4] for row in csv_rows([made_up("a")])}) == len(list(csv_rows([made_up("a")])))


@pytest.mark.slow
def test_a_schedule_that_starts_lower_starts_with_less_noise():
    case = load_case("digits_flow:1", 3)
    fine = torch.cat([torch.linspace(0.999, 0.002, 400), torch.zeros(1)])
    assert case.error(fine, "euler") < 0.02
    lists = host_lists(case.subject, 5)
    assert {"simple", "karras", "oss_flux"} <= set(lists)
    assert all(math.isfinite(case.error(sigmas)) for sigmas in lists.values())


def test_hosts_are_cut_at_the_start_sigma_in_two_ways():
    sigma_range = demo_subject("digits_eps").sigma_range
    for sigmas in host_cuts(sigma_range, 5, 0.6).values():
        assert len(sigmas) == 6
        assert float(sigmas[0]) == pytest.approx(0.6)
        assert bool((sigmas[1:] < sigmas[:-1]).all())


def test_noised_data_have_the_noise_level():
    for name in ("digits_eps", "digits_flow"):
        subject = demo_subject(name)
        clean = torch.full((64, *subject.shape), 0.5)
        x = noised(subject, clean, 0.4)
        assert float(x.std()) == pytest.approx(0.4, rel=0.05)
        assert float(x.mean()) == pytest.approx(0.3 if subject.identity.flow else 0.5, abs=0.02)


def test_rounding_is_relative_and_per_sample():
    values = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(to_fp8(values), values, rtol=2**-4, atol=1e-3)
    assert torch.allclose(to_fp8(values[:1]), to_fp8(torch.cat([values[:1], 100 * values[1:]]))[:1])
    x, sigma = values, torch.full((4,), 2.0)
    for prediction in ("eps", "v"):
        exact = rounded(lambda x, sigma: 0.5 * x, "exact", prediction)(x, sigma)
        assert torch.allclose(exact, 0.5 * x, atol=1e-6)


def test_at_a_sigma_of_thousands_a_rounded_velocity_keeps_the_picture_and_rounded_noise_does_not():
    clean, sigma = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), torch.full((4,), 4518.0)
    x = 4518.0 * torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    of_v, of_noise = (rounded(lambda x, sigma: clean, "bf16", kind)(x, sigma) for kind in ("v", "eps"))
    assert torch.allclose(of_v, clean, atol=0.02)
    assert float((of_noise - clean).abs().max()) > 1.0


def test_an_unknown_case_is_named(capsys):
    assert main(["--cases", "digits_eps:7"]) == 2
    error = capsys.readouterr().err
    assert "digits_eps:7" in error
    assert next(iter(CASES)) in error
