"""The look by a classifier: its stock pair is the one that ends nearest."""

from __future__ import annotations

import pytest
from sigmasmith.benchmarks.family.choose import host_errors, typical_error
from sigmasmith.benchmarks.family.judge import deterministic_samplers, training_of
from sigmasmith.benchmarks.family.subjects import Rows
from sigmasmith.benchmarks.studies.look import best_stock_ends, main


@pytest.mark.slow
def test_no_stock_pair_ends_nearer_than_the_one_that_is_shown():
    known = Rows(training_of("digits_eps@2"), 4, 7, 24)
    pair, ends = best_stock_ends(known, 5)
    errors = {
        f"{sampler} + {name}": typical_error(rows)
        for (sampler, name), rows in host_errors(known, 5, deterministic_samplers(known.sigma_range)).items()
    }
    assert min(errors.values()) == errors[pair] == pytest.approx(typical_error(known.errors(ends)), rel=1e-5)


@pytest.mark.slow
def test_it_prints_a_row_for_every_run_and_draws_a_sheet(tmp_path, capsys):
    assert main(["--models", "digits_flow@2", "--rows", "12", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:8] for line in lines[2:]] == [" 5 steps", " 5 steps", "10 steps", "20 steps"]
    assert (tmp_path / "digits_flow_2.png").read_bytes().startswith(b"\x89PNG")
