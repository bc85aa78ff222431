"""What is known of a model before it is run: cheap along the directions in which models differ, dear elsewhere."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sigmasmith.schedules.core.noise_space import SigmaRange
from sigmasmith.schedules.family.learned import load_family
from sigmasmith.schedules.family.schedule import family_coefficients, family_sigmas
from sigmasmith.schedules.fitting.place import PULL, FamilyRuns
from sigmasmith.schedules.fitting.prior import FamilyPrior

from .fits import range_of

EDM = SigmaRange(0.002, 80.0)
RANGES = [range_of(False), range_of(True), EDM]


def prior_of(steps: int = 8, limits: SigmaRange = RANGES[0], guidance: float = 1.0) -> FamilyPrior:
    sampling = SimpleNamespace(guidance=guidance)
    problem: Any = SimpleNamespace(sigma_range=limits, fits_coefficients=True, sampling=sampling)
    return FamilyPrior(FamilyRuns(problem, load_family()), steps)


def listed(prior, place):
    """The family's list with its coefficients at a place."""
    limits, guidance = prior.runs.problem.sigma_range, prior.runs.problem.sampling.guidance
    family = prior.runs.at(place)
    sigmas = family_sigmas(family, prior.steps, place.log_scale, place.stretch, limits)
    coefficients = family_coefficients(family, sigmas, guidance, flow=limits.flow)
    assert coefficients is not None
    return sigmas, coefficients


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [3, 5, 8, 20])
@pytest.mark.parametrize("guidance", [1.0, 6.0])
def test_the_family_where_it_usually_lies_is_no_way_from_it(steps, limits, guidance):
    prior = prior_of(steps, limits, guidance)
    usual = listed(prior, prior.runs.usual)
    assert np.abs(prior.away(*usual)).max() < 2e-4
    assert prior.place(*usual) == replace(prior.runs.usual, numbers=(0.0,) * prior.runs.directions)


@pytest.mark.parametrize("limits", RANGES)
@pytest.mark.parametrize("steps", [5, 10])
def test_a_list_of_the_family_tells_where_it_lies(steps, limits):
    prior = prior_of(steps, limits)
    usual = prior.runs.usual
    numbers = (1.0, -0.6, 0.4, 0.0, -0.3, 0.5, 0.0, 0.2)
    place = replace(usual, log_scale=round(usual.log_scale + 0.2, 2), stretch=usual.stretch + 0.05, numbers=numbers)
    told = prior.place(*listed(prior, place))
    # Pulled to the usual place, and levels against an end of the range tell little.
    assert 0.1 < told.log_scale - usual.log_scale < 0.3
    assert np.corrcoef(told.numbers, numbers)[0, 1] > 0.8
    assert told.steps == steps


def test_a_move_along_a_direction_costs_less_than_as_long_a_one_elsewhere():
    prior = prior_of()
    generator = np.random.default_rng(0)
    for number, way in enumerate(prior.ways):
        other = generator.normal(size=len(way))
        other *= np.linalg.norm(way) / np.linalg.norm(other)
        # The last directions are short: hardly longer than what every level and parameter has for itself.
        share = 0.3 if number < 4 else 0.8
        assert way @ prior.precision @ way < share * (other @ prior.precision @ other)


def test_a_standard_deviation_along_a_direction_costs_what_a_race_charges():
    prior = prior_of()
    for way in prior.ways[2:]:
        assert 0.5 * way @ prior.precision @ way <= PULL


@pytest.mark.parametrize("limits", RANGES)
def test_the_place_of_a_list_far_from_the_family_leaves_its_levels_in_order(limits):
    prior = prior_of(8, limits)
    sigmas, coefficients = listed(prior, prior.runs.usual)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        wild = coefficients + torch.randn(coefficients.shape, generator=generator)
        place = prior.place(sigmas, wild)
        assert prior.runs.in_order(place, 8)
        assert prior.runs.in_order(place.at_steps(5), 5)


def test_the_more_noises_there_are_the_less_what_is_known_weighs_beside_them():
    prior = prior_of()
    for rows in (2, 4, 36):
        assert np.allclose(prior.pull(rows) * rows, 4.0 * prior.precision)
