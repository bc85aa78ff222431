"""Learns what guidance above 3 adds to the family's parameters; all else stays as the file has it, to the bit.

    python -P -m sigmasmith.benchmarks.family.high_guidance                  schedules/family/family_1.json, both spaces
    python -P -m sigmasmith.benchmarks.family.high_guidance FILE --space ve --without letters --pixels 16

The objective is that of `learn`, over models at guidance 4 to 10 that lie where the family is without a call: at the
scale and stretch that are usual for their range. High guidance bends paths more than the logarithm of guidance tells,
and what is learned up to 3 and drawn on in a straight line overshoots (docs/family.md).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ...schedules.family.learned import Family, family_of
from ...schedules.family.typical import typical_scale
from .data_file import DATA_FILE, read, write
from .learn import COUNTS, SEED, learn, space_content
from .sets import add_selection, guided_set, selected
from .subjects import Rows
from .unknowns import Unknowns, first_guess

ROWS, ROUNDS = 8, 4


def with_high_guidance(family: Family, models: Sequence[Rows], steps: Sequence[int], rounds: int = ROUNDS) -> Unknowns:
    """The family of one space, models at their usual places, with the term for guidance above 3 learned anew."""
    places = {}
    for rows in models:
        scale, stretch = typical_scale(family, rows.sigma_range)
        places[rows.which.key] = (math.log(scale), stretch)
    start = first_guess(steps, list(places)).at_places(places, held=True)
    start = start.as_learned(family, flow=models[0].sigma_range.flow)
    return learn(models, replace(start, high=True), rounds)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=DATA_FILE)
    add_selection(parser)
    parser.add_argument("--steps", type=int, nargs="+", default=list(COUNTS))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    content = read(args.file)
    for space in args.space:
        chosen = selected(guided_set(space == "flow"), args)
        print(f"{space}: {len(chosen)} models", flush=True)
        models = [Rows(which, ROWS, SEED) for which in chosen]
        content["spaces"][space] |= space_content(with_high_guidance(family_of(content), models, args.steps))
        write(content, args.file)


if __name__ == "__main__":
    main()
