"""Where the family lies on a model: its words, its facts, and coordinates that leave levels in order."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sigmasmith.schedules.family.learned import load_family
from sigmasmith.schedules.family.placing import SCALES, STRETCHES
from sigmasmith.schedules.fitting.place import FamilyCoordinates, FamilyRuns

from .fits import range_of


class Problem:
    """What the coordinates ask of a fit."""

    def __init__(self, flow: bool = False, coefficients: bool = True) -> None:
        self.sigma_range, self.fits_coefficients = range_of(flow), coefficients


def runs(flow: bool = False, coefficients: bool = True) -> FamilyRuns:
    problem: Any = Problem(flow, coefficients)
    return FamilyRuns(problem, load_family())


def test_samplers_without_coefficients_have_scale_and_stretch_alone():
    assert runs().directions == 8
    assert runs(coefficients=False).directions == 0


@pytest.mark.parametrize("flow", [False, True])
def test_the_usual_place_is_no_way_from_itself(flow):
    known = runs(flow)
    assert not known.away(known.usual).any()


def test_places_are_whole_hundredths_within_bounds():
    known = runs()
    coordinates = FamilyCoordinates(known, 8, known.usual, 4)
    place = coordinates.at(np.array([0.123456, 0.0567, 0.333333, -2.0]))
    assert place.log_scale == pytest.approx(round(place.log_scale, 2))
    assert place.numbers == (0.33, -2.0)
    for far in (-50.0, 50.0):
        place = coordinates.at(np.array([far, far, 0.0, 0.0]))
        assert SCALES[0] * 0.99 <= math.exp(place.log_scale) <= SCALES[1] * 1.01
        assert STRETCHES[0] <= place.stretch <= STRETCHES[1]


@pytest.mark.parametrize("flow", [False, True])
def test_a_step_stays_where_levels_are_in_order_and_is_pulled_to_the_usual_place(flow):
    known = runs(flow)
    coordinates = FamilyCoordinates(known, 8, known.usual, 10)
    generator = torch.Generator().manual_seed(0)
    residual = torch.randn(4, 64, generator=generator, dtype=torch.float64)
    slope = 0.01 * torch.randn(4, 64, 10, generator=generator, dtype=torch.float64)
    step = coordinates.bounded_step(np.zeros(10), residual, slope, 1e-4, 0.0)
    family = known.at(coordinates.at(step))
    assert all((np.diff(each.levels) < 0).all() for each in family.spaces["flow" if flow else "ve"].values())
    away = np.full(10, 0.4)
    flat = torch.zeros(4, 64, 10, dtype=torch.float64)
    back = coordinates.bounded_step(away, residual, flat, 1e-4, 0.0)
    assert bool((back < 0.0).all())  # nothing is known: back to what most models have


def test_numbers_that_are_not_moved_along_stay():
    """Of several step counts a later one may have calls for fewer directions than the first."""
    known = runs()
    centre = replace(known.usual, numbers=(0.5, -0.4, 0.3, 0.2), steps=8)
    coordinates = FamilyCoordinates(known, 10, centre, 3)
    assert coordinates.at(np.array([0.0, 0.0, 0.25])).numbers == (0.75, -0.4, 0.3, 0.2)
    residual = torch.ones(4, 8, dtype=torch.float64)
    step = coordinates.bounded_step(np.zeros(3), residual, torch.zeros(4, 8, 3, dtype=torch.float64), 1e-4, 0.0)
    assert step[2] == pytest.approx(-0.5)


@pytest.mark.parametrize("flow", [False, True])
def test_a_count_that_takes_the_directions_of_others_holds_no_step_back(flow):
    known, space = runs(flow), "flow" if flow else "ve"
    tight = replace(known.family.spaces[space][30], levels=np.linspace(1.0, 0.0, 29))
    spaces = {**known.family.spaces, space: {**known.family.spaces[space], 30: tight}}
    known = replace(known, family=replace(known.family, spaces=spaces))
    fitted, late = (FamilyCoordinates(known, steps, known.usual, 10) for steps in (8, 30))
    allowed = []
    for direction in range(2, 10):
        z = np.zeros(10)
        z[direction] = 1.0
        allowed.append(tuple(each.runs.in_order(each.at(z), each.steps) for each in (fitted, late)))
    assert all(at_eight for at_eight, _ in allowed)
    assert not all(at_thirty for _, at_thirty in allowed)
