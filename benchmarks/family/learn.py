"""Learns the family over the zoo and writes its data file.

    python -P -m sigmasmith.benchmarks.family.learn            schedules/family/family_1.json, both spaces
    python -P -m sigmasmith.benchmarks.family.learn --without clipart --pixels 16 --out FILE
    python -P -m sigmasmith.benchmarks.family.learn --steps 30 --keep-places      30 steps added to the file
    python -P -m sigmasmith.benchmarks.family.learn --steps 5 8 --go-on           on from what the file holds
    python -P -m sigmasmith.benchmarks.family.learn --steps 20 --go-on --start-from 30      on from 30, stretched

Minimised over z, the levels and parameters of every step count N (shared by all models) and each model's scale and
stretch, with r_mNb the end of a run of model m from noise b minus the teacher's:

    f(z) = sum_m w_m sum_N mean_b log ||r_mNb(z)|| + ridge sum ||theta||^2 / 2
           + pull sum_m ((log c_m / .7)^2 + ((p_m - 1) / .15)^2) / 2

by the Gauss-Newton method: residuals are linearised by differences and weighted with 1 / ||r_mNb||^2, so that every
model and every noise counts alike however large its error.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...schedules.core.noise_space import Array, SigmaRange
from ...schedules.family.learned import TERMS, VERSION, family_of, guidance_terms
from ...schedules.family.typical import shift_factor
from ..zoo.members import MEMBERS
from .choose import cells_by_kind, chosen_on_new_noises, typical_pairs
from .columns import ends_of, run
from .data_file import DATA_FILE, read, write
from .sets import add_selection, selected, training_set
from .subjects import Rows
from .unknowns import Places, Unknowns, first_guess, layout_of, rows_of, sigma_list

COUNTS = (3, 4, 5, 6, 8, 10, 14, 20)
ROWS, SEED, ROUNDS = 12, 100, 8
# Differences: large enough to stand out of float32 outputs, small enough to be straight.
_LEVEL, _PARAMETER = 0.03, 0.05
_RIDGE, _PULL, _SCALE_SPREAD, _STRETCH_SPREAD = 2e-3, 0.5, 0.7, 0.15
# Damping by shares of the diagonal, from bold to careful: differences of outputs are nearly parallel, and what small
# shares still hold back is what higher orders are made of.
_DAMPINGS = (3e-4, 3e-3, 3e-2, 0.3)
_SHARES = (1.0, 0.5, 0.2)
# Of what parameters change by guidance this share holds on models that were left out (guidance 2 to 6, five networks).
_GUIDANCE_SHARE = 0.6


@dataclass(frozen=True)
class Normal:
    """Normal equations of one model at one step count in its own unknowns, (n, n) and (n,), and f there."""

    matrix: Array
    gradient: Array
    value: float


def learn(models: Sequence[Rows], start: Unknowns, rounds: int) -> Unknowns:
    """The unknowns after so many rounds of the Gauss-Newton method."""
    at = start
    for turn in range(rounds):
        began = time.monotonic()
        at, before, after = _improved(at, models)
        print(f"round {turn + 1}: f {before:.2f} -> {after:.2f}, {time.monotonic() - began:.0f} s", flush=True)
        if before - after < 1e-3 * abs(before):
            break
    return at


def _improved(at: Unknowns, models: Sequence[Rows]) -> tuple[Unknowns, float, float]:
    layout = layout_of(at)
    matrix, gradient, value = np.zeros((layout.size, layout.size)), np.zeros(layout.size), 0.0
    for rows in models:
        for steps in at.shared:
            normal = normal_equations(at, rows, steps)
            index = np.r_[layout.shared[steps], layout.own[rows.which.key]]
            matrix[np.ix_(index, index)] += rows.which.weight * normal.matrix
            gradient[index] += rows.which.weight * normal.gradient
            value += rows.which.weight * normal.value
    pulled, pull = _pulls(at, len(models))
    still = at.still(layout)
    matrix[still], matrix[:, still], gradient[still], pull[still] = 0.0, 0.0, 0.0, 0.0
    diagonal = matrix.diagonal()
    before = value + _pull_value(at, len(models))
    best, least = at, before
    for damping in _DAMPINGS:
        damped = matrix + np.diag(pulled + damping * diagonal + 1e-9 * diagonal.max())
        step = -np.linalg.solve(damped, gradient + pull)
        for share in _SHARES:
            new = at.moved(share * step, layout)
            after = _value(new, models) + _pull_value(new, len(models)) if new.in_order else np.inf
            if after < least:
                best, least = new, after
            if after < before:
                break
    return best, before, least


def normal_equations(at: Unknowns, rows: Rows, steps: int) -> Normal:
    """Those of f for one model and step count: levels, parameters of both terms, log scale, stretch."""
    which, basis, known = rows.which, at.bases[steps], at.shared[steps]
    log_scale, stretch = at.own[which.key]
    parameters = known.parameters_at(which.guidance)
    sigmas, coefficients = at.run_lists(steps, which.key, which.guidance, rows.sigma_range)
    base = run(rows, sigmas, coefficients)
    lists = [
        sigma_list(known.levels + _LEVEL / stretch * hat, log_scale, stretch, rows.sigma_range) for hat in basis.levels
    ]
    table = [rows_of(parameters, moved) for moved in lists]
    lists += [sigmas] * len(basis.parameters)
    table += [rows_of(parameters + _PARAMETER * column, sigmas) for column in basis.parameters]
    first = [int(np.flatnonzero(hat)[0]) for hat in basis.levels] + list(basis.first)
    ends = ends_of(base, rows, np.stack(lists), np.stack(table), np.array(first))

    residual = (base.states[-1] - rows.end).flatten(1)
    weight = residual.double().square().sum(1).clamp_min(1e-20).rsqrt().float()[:, None]
    width = np.array([_LEVEL] * len(basis.levels) + [_PARAMETER] * len(basis.parameters))
    slopes = ((ends - base.states[-1]).flatten(2) * weight).flatten(1)
    matrix = (slopes @ slopes.T).double().numpy() / np.outer(width, width) / rows.rows
    gradient = (slopes @ (residual * weight).flatten()).double().numpy() / width / rows.rows
    chain = _chain(basis.levels, known.levels, len(basis.parameters), which.guidance, stretch)
    value = float(np.log(rows.errors(base.states[-1])).mean())
    return Normal(chain.T @ matrix @ chain, chain.T @ gradient, value)


def _chain(level_hats: Array, levels: Array, width: int, guidance: float, stretch: float) -> Array:
    """Slopes of placed levels and of a run's parameters by the unknowns.

    d placed = stretch d level + d log scale + level d stretch.
    """
    count = len(level_hats)
    chain = np.zeros((count + width, count + TERMS * width + 2))
    chain[:count, :count] = stretch * np.eye(count)
    for term, share in enumerate(guidance_terms(guidance)):
        chain[count:, count + term * width : count + (term + 1) * width] = share * np.eye(width)
    chain[:count, -2] = 1.0
    chain[:count, -1] = np.linalg.lstsq(level_hats.T, levels, rcond=None)[0]
    return chain


def _value(at: Unknowns, models: Sequence[Rows]) -> float:
    total = 0.0
    for rows in models:
        for steps in at.shared:
            lists = at.run_lists(steps, rows.which.key, rows.which.guidance, rows.sigma_range)
            total += rows.which.weight * float(np.log(rows.errors(run(rows, *lists).states[-1])).mean())
    return total


def _pulls(at: Unknowns, models: int) -> tuple[Array, Array]:
    """Diagonal and gradient of the pulls, in the layout's order."""
    diagonal, gradient = [], []
    for steps, known in at.shared.items():
        basis = at.bases[steps]
        diagonal.append(np.zeros(len(basis.levels)))
        gradient.append(np.zeros(len(basis.levels)))
        for term in range(TERMS):
            diagonal.append(_RIDGE * models * np.square(basis.parameters).sum((1, 2)))
            gradient.append(_RIDGE * models * np.tensordot(basis.parameters, known.parameters[term], axes=2))
    for log_scale, stretch in at.own.values():
        diagonal.append(_PULL / np.square([_SCALE_SPREAD, _STRETCH_SPREAD]))
        gradient.append(diagonal[-1] * np.array([log_scale, stretch - 1.0]))
    return np.concatenate(diagonal), np.concatenate(gradient)


def _pull_value(at: Unknowns, models: int) -> float:
    ridge = sum(float(np.square(known.parameters).sum()) for known in at.shared.values())
    pull = sum(
        (scale / _SCALE_SPREAD) ** 2 + ((stretch - 1.0) / _STRETCH_SPREAD) ** 2 for scale, stretch in at.own.values()
    )
    return 0.5 * _RIDGE * models * ridge + 0.5 * _PULL * pull


def _typical_counts(counts: Sequence[int]) -> list[int]:
    """Few, middling and many of them: a grid at every count would take longer than learning."""
    return sorted({counts[len(counts) // 4], counts[len(counts) // 2], counts[-2 if len(counts) > 3 else -1]})


def unshifted(own: tuple[float, float], sigma_range: SigmaRange) -> tuple[float, float]:
    """(log scale, stretch) as a flow model without a shift would have them."""
    return own[0] - math.log(shift_factor(sigma_range)), own[1]


def spread_of(own: Sequence[tuple[float, float]]) -> list[float]:
    """Standard deviations of log scale and stretch over models."""
    return np.std(np.array(own), axis=0).round(3).tolist()


def space_content(at: Unknowns) -> dict[str, dict[str, object]]:
    """The content of the data file for one space, what guidance changes shrunk where it was learned."""
    shares = np.array([1.0, 1.0 if at.high else _GUIDANCE_SHARE, 1.0])[:, None, None]
    return {
        str(steps): {
            "levels": np.round(known.levels, 5).tolist(),
            "parameters": np.round(shares * known.parameters, 5).tolist(),
        }
        for steps, known in at.shared.items()
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA_FILE)
    add_selection(parser)
    parser.add_argument("--steps", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep-places", action="store_true", help="the models stay where the file has them")
    parser.add_argument("--go-on", action="store_true", help="start from the file; its other step counts stay")
    parser.add_argument("--start-from", type=int, nargs="+", help="with --go-on: the file's counts to start from")
    args = parser.parse_args(argv)
    if args.start_from and not args.go_on:
        parser.error("--start-from goes with --go-on")
    torch.set_num_threads(1)
    content = read(args.out) if args.out.is_file() else {"version": VERSION, "spaces": {}}
    for space in args.space:
        began = time.monotonic()
        chosen = selected(training_set(space == "flow"), args)
        print(f"{space}: {len(chosen)} models", flush=True)
        models = [Rows(which, args.rows, SEED) for which in chosen]
        start = first_guess(args.steps, [rows.which.key for rows in models])
        if args.keep_places or args.go_on:
            start = start.at_places(_places_of(content["models"][space]), held=args.keep_places)
        if args.go_on:
            family = family_of({"typical": {}, **content})
            if args.start_from:
                family = replace(family, spaces={space: {n: family.spaces[space][n] for n in args.start_from}})
            start = start.as_learned(family, flow=space == "flow")
        at = learn(models, start, args.rounds)
        learned = space_content(at)
        content["spaces"][space] = content["spaces"][space] | learned if args.keep_places or args.go_on else learned
        if args.keep_places:
            write(content, args.out)
            continue
        own = {key: [round(math.exp(scale), 3), round(stretch, 3)] for key, (scale, stretch) in at.own.items()}
        content.setdefault("models", {})[space] = own
        networks = [rows for rows in models if MEMBERS[rows.which.member].trained]
        spreads = content.setdefault("spreads", {})
        spreads[space] = spread_of([unshifted(at.own[rows.which.key], rows.sigma_range) for rows in networks])
        content["spread"] = np.mean(list(spreads.values()), axis=0).round(3).tolist()
        family, counts = family_of({"typical": {}, **content}), _typical_counts(args.steps)
        known = content["typical"] if args.go_on else {}
        first = typical_pairs(cells_by_kind(family, models, counts), known)
        usual = chosen_on_new_noises(family, chosen, counts, first)
        content["typical"] = {**content.get("typical", {}), **usual}
        print(f"{space}: typical {usual}, spread {content['spread']}, {time.monotonic() - began:.0f} s", flush=True)
        write(content, args.out)


def _places_of(models: Mapping[str, tuple[float, float]]) -> Places:
    return {key: (math.log(scale), stretch) for key, (scale, stretch) in models.items()}


if __name__ == "__main__":
    main()
