"""Directions: one standard deviation between models, in the order of what they explain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sigmasmith.benchmarks.family.columns import run
from sigmasmith.benchmarks.family.directions import deviation, directions_of
from sigmasmith.benchmarks.family.subjects import Rows, Training
from sigmasmith.schedules.family.learned import ORDER, Learned, load_family
from sigmasmith.schedules.family.schedule import family_coefficients, family_sigmas
from sigmasmith.schedules.samplers.parameters import features


def changed(level: float, parameter: float, steps: int = 4) -> Learned:
    parameters = np.zeros((2, steps, features(ORDER)))
    parameters[0, -1, 0] = parameter
    return Learned(np.full(steps - 1, level), parameters)


def test_models_that_differ_along_one_line_give_one_direction_of_their_spread():
    models = [{4: changed(0.1 * far, 0.3 * far)} for far in (-1.0, 1.0, -1.0, 1.0)]
    ways = directions_of(models)["4"]
    assert np.abs(ways["levels"][0]) == pytest.approx(0.1, abs=1e-4)
    assert abs(ways["parameters"][0][-1][0]) == pytest.approx(0.3, abs=1e-4)
    assert np.allclose(ways["levels"][1:], 0.0, atol=1e-3)


def test_one_number_moves_every_step_count_as_models_do():
    models = [{4: changed(0.1 * far, 0.0), 5: changed(-0.2 * far, 0.0, 5)} for far in (-2.0, 1.0, 1.0)]
    ways = directions_of(models, most=2)
    first, second = (np.array(ways[count]["levels"][0]) for count in ("4", "5"))
    assert np.allclose(second.mean() / first.mean(), -2.0, atol=1e-2)
    assert len(ways["4"]["levels"]) == 2


@pytest.mark.slow
def test_a_model_s_own_levels_and_parameters_end_nearer_than_the_family_s():
    rows, family = Rows(Training("digits_eps", 1.0, False), 4, 1), load_family()
    own = deviation(family, rows, 4, (0.0, 0.9), rounds=2)
    assert own.levels.shape == (3,)
    assert not own.parameters[1].any()
    known = family.at(4, flow=False)
    moved = Learned(known.levels + own.levels, known.parameters + own.parameters)
    errors = [error_of(rows, which) for which in (known, moved)]
    assert errors[1] < 0.9 * errors[0]


def error_of(rows: Rows, learned: Learned) -> float:
    family = load_family()
    family = replace(family, spaces={**family.spaces, "ve": {**family.spaces["ve"], 4: learned}})
    sigmas = family_sigmas(family, 4, 0.0, 0.9, rows.sigma_range)
    table = family_coefficients(family, sigmas, 1.0, flow=False)
    assert table is not None
    ends = run(rows, sigmas.double().numpy(), table.double().numpy()).states[-1]
    return float(np.exp(np.log(rows.errors(ends)).mean()))
