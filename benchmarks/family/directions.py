"""Learns how models differ beyond scale and stretch, and adds it to the family's data file.

    python -P -m sigmasmith.benchmarks.family.directions           schedules/family/family_1.json, both spaces
    python -P -m sigmasmith.benchmarks.family.directions FILE --space flow --without letters --pixels 16

Every model m gets levels and parameters of its own at each step count N, by the Gauss-Newton method from the family's:

    d_mN = arg min  mean_b log ||r_mNb(d)|| + d' P d / 2

with P weak pulls that hold back what its noises hardly decide. A model's changes at all step counts, in units of these
pulls, make one row of D (models x unknowns, each count weighed alike). With D = U S V', the directions are rows of
S V' / sqrt(models) in the order of S: one standard deviation between models, the family itself being the mean. So one
set of numbers moves every step count.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...schedules.core.noise_space import Array
from ...schedules.family.learned import ORDER, Family, Learned, family_of
from ...schedules.family.typical import typical_scale
from ...schedules.samplers.parameters import features
from .columns import run
from .data_file import DATA_FILE, read, write
from .learn import normal_equations
from .sets import add_selection, selected, training_set
from .subjects import Rows
from .unknowns import Layout, Unknowns, basis_of, layout_of

ROWS, SEED, ROUNDS, DIRECTIONS = 8, 700, 4, 8
# Pulls to the family, in mean log error, of levels, parameters, log scale and stretch.
_LEVEL, _PARAMETER, _SCALE, _STRETCH = 0.1, 0.02, 0.02, 1.0
_DAMPINGS, _SHARES = (3e-3, 3e-2, 0.3, 3.0), (1.0, 0.4)
# A round that gains less in log error is the last.
_STALL = 1e-3


def deviation(family: Family, rows: Rows, steps: int, own: tuple[float, float], rounds: int = ROUNDS) -> Learned:
    """Changes of levels (steps - 1,) and parameters (2, steps, features; the second term 0) that suit one model.

    Args:
        own: its log scale and stretch, which move too and are told apart from the changes.
    """
    known, key = family.at(steps, flow=rows.which.flow), rows.which.key
    at = Unknowns({steps: known}, {key: own}, {steps: basis_of(steps)})
    layout = layout_of(at)
    moves, pull = _moving(at, layout, steps, key)
    far: Array = np.zeros(layout.size)
    value = _value(at, rows, steps)
    for _ in range(rounds):
        normal = normal_equations(at, rows, steps)
        gradient = normal.gradient[moves] + pull * far[moves]
        best, least, way = at, value, far
        for damping in _DAMPINGS:
            damped = normal.matrix[np.ix_(moves, moves)]
            diagonal = damped.diagonal()
            damped = damped + np.diag(pull + damping * diagonal + 1e-9 * diagonal.max())
            step = np.zeros(layout.size)
            step[moves] = -np.linalg.solve(damped, gradient)
            for share in _SHARES:
                new, there = at.moved(share * step, layout), far + share * step
                after = _value(new, rows, steps) + 0.5 * float((pull * there[moves] ** 2).sum())
                if after < least:
                    best, least, way = new, after, there
                if after < value:
                    break
        gain, at, value, far = value - least, best, least, way
        if gain < _STALL:
            break
    changed = at.shared[steps]
    return Learned(changed.levels - known.levels, changed.parameters - known.parameters)


def _moving(at: Unknowns, layout: Layout, steps: int, key: str) -> tuple[NDArray[np.int64], Array]:
    """(places of the unknowns that move: all but the second term, the pulls on them)."""
    basis, shared = at.bases[steps], layout.shared[steps].start
    levels, parameters = len(basis.levels), len(basis.parameters)
    own = layout.own[key]
    places = np.array([*range(shared, shared + levels + parameters), *range(own.start, own.stop)])
    weights = _PARAMETER * np.square(basis.parameters).sum((1, 2))
    return places, np.concatenate([np.full(levels, _LEVEL), weights, [_SCALE, _STRETCH]])


def _value(at: Unknowns, rows: Rows, steps: int) -> float:
    """Mean log error; infinite where levels are out of order."""
    if not at.in_order:
        return math.inf
    sigmas, coefficients = at.run_lists(steps, rows.which.key, rows.which.guidance, rows.sigma_range)
    if not bool((np.diff(sigmas) < 0.0).all()):
        return math.inf
    return float(np.log(rows.errors(run(rows, sigmas, coefficients).states[-1])).mean())


def directions_of(deviations: Sequence[Mapping[int, Learned]], most: int = DIRECTIONS) -> dict[str, dict[str, Any]]:
    """The content of the data file for one space, step count -> levels and parameters, from every model's changes."""
    counts = sorted(deviations[0])
    rows = np.stack([np.concatenate([_weighed(model[count]) for count in counts]) for model in deviations])
    _, spreads, ways = np.linalg.svd(rows, full_matrices=False)
    strongest = (ways * spreads[:, None] / math.sqrt(len(rows)))[:most]
    content, start = {}, 0
    for count in counts:
        inner = count - 1
        part = strongest[:, start : start + inner + count * features(ORDER)]
        start += part.shape[1]
        levels = part[:, :inner] / math.sqrt(_LEVEL)
        parameters = part[:, inner:].reshape(len(part), count, -1) / math.sqrt(_PARAMETER)
        content[str(count)] = {"levels": np.round(levels, 4).tolist(), "parameters": np.round(parameters, 4).tolist()}
    return content


def _weighed(changed: Learned) -> Array:
    """One vector in units of the pulls."""
    return np.concatenate([math.sqrt(_LEVEL) * changed.levels, math.sqrt(_PARAMETER) * changed.parameters[0].ravel()])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=DATA_FILE)
    add_selection(parser)
    parser.add_argument("--steps", type=int, nargs="+", help="the step counts that get directions; else all")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    content = read(args.file)
    family = replace(family_of(content), directions={})
    for space in args.space:
        deviations: list[dict[int, Learned]] = []
        for which in selected(training_set(space == "flow"), args):
            began, rows = time.monotonic(), Rows(which, ROWS, SEED)
            scale, stretch = content["models"][space].get(which.key) or typical_scale(family, rows.sigma_range)
            own = (math.log(scale), stretch)
            counts = args.steps or family.spaces[space]
            deviations.append({count: deviation(family, rows, count, own) for count in counts})
            print(f"{which.key:<42} {time.monotonic() - began:.0f} s", flush=True)
        content.setdefault("directions", {})[space] = directions_of(deviations)
        write(content, args.file)


if __name__ == "__main__":
    main()
