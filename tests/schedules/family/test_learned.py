"""The family's data: complete, smooth between step counts and in guidance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sigmasmith.schedules.family import learned
from sigmasmith.schedules.family.learned import ORDER, VERSION, guidance_term, load_family
from sigmasmith.schedules.samplers.parameters import allowed, features


@pytest.fixture(scope="module")
def family():
    return load_family()


@pytest.mark.parametrize("flow", [False, True])
@pytest.mark.parametrize("steps", range(3, 21))
def test_every_step_count_has_falling_levels_and_parameters_where_they_mean_something(family, steps, flow):
    known = family.at(steps, flow=flow)
    assert known.levels.shape == (steps - 1,)
    assert bool((np.diff(known.levels) < 0).all())
    assert known.parameters.shape == (2, steps, features(ORDER))
    assert not known.parameters[:, ~allowed(steps, ORDER)].any()


@pytest.mark.parametrize("flow", [False, True])
def test_a_count_between_two_learned_ones_lies_between_them(family, flow):
    below, between, above = (family.at(steps, flow=flow) for steps in (6, 7, 8))
    for end in (0, -1):
        ends = sorted((below.levels[end], above.levels[end]))
        assert ends[0] <= between.levels[end] <= ends[1]
    last = np.stack([below.parameters[:, -1], above.parameters[:, -1]])
    assert bool((between.parameters[:, -1] >= last.min(0) - 1e-12).all())
    assert bool((between.parameters[:, -1] <= last.max(0) + 1e-12).all())


@pytest.mark.parametrize("flow", [False, True])
def test_neighbouring_counts_do_not_jump(family, flow):
    for steps in range(3, 20):
        first, second = (family.at(count, flow=flow).levels for count in (steps, steps + 1))
        most = 4.0 * np.log((steps + 1) / steps)  # levels of the ends go about as a power of the step count
        assert abs(first[0] - second[0]) < most
        assert abs(first[-1] - second[-1]) < most


def test_guidance_counts_from_1_to_10():
    assert guidance_term(0.5) == guidance_term(1.0) == 0.0
    assert guidance_term(3.0) == pytest.approx(1.0)
    assert guidance_term(10.0) == guidance_term(30.0)


def test_an_unknown_version_is_named():
    with pytest.raises(ValueError, match="family version 99"):
        load_family(99)


def test_the_data_file_is_small():
    path = Path(learned.__file__).with_name(f"family_{VERSION}.json")
    assert path.stat().st_size < 300_000
