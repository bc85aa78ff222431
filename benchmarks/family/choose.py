"""Scale and stretch for models of which nothing is known: chosen over the models that taught, for the worst of them.

    python -P -m sigmasmith.benchmarks.family.choose                   schedules/family/family_1.json, both spaces
    python -P -m sigmasmith.benchmarks.family.choose FILE --space flow --without letters --pixels 16

chooses them anew beside those of the file, on noises that taught nothing: on its own four noises a family is better
than it is, and the worst case of few noises is chance. `learn` ends with it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from ...schedules.core.noise_space import Array
from ...schedules.core.types import SamplerFunction
from ...schedules.family.learned import Family, family_of
from ...schedules.family.placing import whole_hundredths
from ...schedules.family.schedule import family_coefficients, family_sigmas
from ...schedules.family.typical import WIDE, shift_factor
from ...schedules.samplers.by_name import own_sampler
from ..cases import host_lists
from .columns import run
from .data_file import DATA_FILE, read, write
from .sets import add_selection, selected, training_set
from .subjects import Rows, Training

ROWS, SEED, STEPS = 48, 5_000, (5, 8, 10)
# A grid that is even in log scale; what stands far from all models of the zoo is not tried.
SCALES = tuple(np.exp(np.arange(-4, 11) * 0.15).round(4).tolist())
STRETCHES = (0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25)
# How far the mean over cases leans to the worst one: 0 is the plain mean of log ratios.
_LEAN = 4.0

Pair = tuple[float, float]


@dataclass(frozen=True)
class PairErrors:
    """One model at one step count.

    Args:
        host: (rows,) errors of `dpmpp_2m` on the host schedule that is best for it in hindsight.
        family: (scale, stretch), the scale that a flow model without a shift would have -> (rows,) errors.
    """

    host: Array
    family: Mapping[Pair, Array]

    def ratio(self, pair: Pair) -> float:
        """How many times nearer the family ends than the best host schedule."""
        return typical_error(self.host) / typical_error(self.family[pair])


class FamilyErrors(dict[Pair, Array]):
    """(scale, stretch) -> (rows,) errors of the family there, run when they are asked for at first."""

    def __init__(self, family: Family, rows: Rows, steps: int) -> None:
        super().__init__()
        self._of = family, rows, steps

    def __missing__(self, pair: Pair) -> Array:
        errors = self[pair] = family_errors(*self._of, pair)
        return errors


def chosen_on_new_noises(
    family: Family, which: Sequence[Training], steps: Sequence[int], near: Mapping[str, Sequence[float]]
) -> dict[str, Pair]:
    """(scale, stretch) by kind of range, walked to from `near` until none beside them is better."""
    cells = cells_by_kind(family, [Rows(model, ROWS, SEED) for model in which], steps)
    while True:
        pairs = typical_pairs(cells, near)
        if all(pairs[kind] == tuple(near[kind]) for kind in pairs):
            return pairs
        near = pairs


def cells_by_kind(family: Family, models: Sequence[Rows], steps: Sequence[int]) -> dict[str, list[PairErrors]]:
    """Every model at every step count by kind of range: "ve", "wide", "flow", those that have models."""
    cells: dict[str, list[PairErrors]] = {}
    for rows in models:
        wide = not rows.sigma_range.flow and rows.sigma_range.sigma_max > WIDE
        kind = "flow" if rows.sigma_range.flow else "wide" if wide else "ve"
        cells.setdefault(kind, []).extend(cell_of(family, rows, count) for count in steps)
    return cells


def typical_pairs(cells: Mapping[str, Sequence[PairErrors]], near: Mapping[str, Sequence[float]]) -> dict[str, Pair]:
    """(scale, stretch) by kind of range.

    Args:
        near: pairs beside which alone is looked, by kind of range.
    """
    return {kind: best_for_the_worst(group, grid_beside(near.get(kind))) for kind, group in cells.items()}


def grid_beside(near: Sequence[float] | None) -> Iterator[Pair]:
    """The pairs of the grid that lie beside one and itself, all for None."""
    for scale, stretch in product(SCALES, STRETCHES):
        if near is None or (abs(math.log(scale / near[0])) < 0.2 and abs(stretch - near[1]) < 0.16):
            yield scale, stretch


def best_for_the_worst(cells: Sequence[PairErrors], pairs: Iterable[Pair]) -> Pair:
    """The pair whose ratios are best, the worst of them counting most."""

    def score(pair: Pair) -> float:
        logs = np.log([cell.ratio(pair) for cell in cells])
        return -float(np.log(np.mean(np.exp(-_LEAN * logs))))

    return max(pairs, key=score)


def cell_of(family: Family, rows: Rows, steps: int) -> PairErrors:
    """The errors of one model at one step count."""
    hosts = host_errors(rows, steps, {"dpmpp_2m": own_sampler("dpmpp_2m")})
    return PairErrors(min(hosts.values(), key=typical_error), FamilyErrors(family, rows, steps))


def host_errors(rows: Rows, steps: int, samplers: Mapping[str, SamplerFunction]) -> dict[tuple[str, str], Array]:
    """(sampler, schedule) -> (rows,) errors of every host schedule, started where it starts."""
    errors: dict[tuple[str, str], Array] = {}
    for name, sigmas in host_lists(rows.subject, steps).items():
        start = rows.start * (float(sigmas[0]) / rows.sigma_range.sigma_max)
        for sampler, function in samplers.items():
            errors[sampler, name] = rows.errors(rows.subject.end_states(start, function, sigmas))
    return errors


def family_errors(family: Family, rows: Rows, steps: int, pair: Pair) -> Array:
    """(rows,) errors of the family at a scale, which a model's shift multiplies, and a stretch."""
    scale = pair[0] * shift_factor(rows.sigma_range)
    sigmas = family_sigmas(family, steps, *whole_hundredths(scale, pair[1]), rows.sigma_range)
    table = family_coefficients(family, sigmas, rows.which.guidance, flow=rows.sigma_range.flow)
    assert table is not None
    ends = run(rows, sigmas.double().numpy(), table.double().numpy()).states[-1]
    return rows.errors(ends)


def typical_error(errors: Array) -> float:
    """Geometric mean over rows, as reports of fits have it: no row that changed its mode decides alone."""
    return float(np.exp(np.log(errors).mean()))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=DATA_FILE)
    add_selection(parser)
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    content = read(args.file)
    for space in args.space:
        chosen = selected(training_set(space == "flow"), args)
        pairs = chosen_on_new_noises(family_of(content), chosen, args.steps, content["typical"])
        before = {kind: content["typical"][kind] for kind in pairs}
        print(f"{space}: typical {pairs}, before {before}", flush=True)
        content["typical"] |= pairs
        write(content, args.file)


if __name__ == "__main__":
    main()
