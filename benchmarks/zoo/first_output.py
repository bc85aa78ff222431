"""How far a model's output from pure noise is from where its run ends, over the distance between images.

    python -P -m sigmasmith.benchmarks.zoo.first_output glyphs_flow@3 photographs16_distilled

What tells models distilled to few steps apart (schedules/fitting/teacher/reference.py). The distilled network is not
among the weights: `python -P -m sigmasmith.benchmarks.zoo.distill photographs16_distilled` makes it in 7 minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch

from .members import zoo_subject

_ROWS, _SEED, _LEVELS = 16, 5, 48


@torch.no_grad()
def first_output_share(name: str, guidance: float) -> float:
    """Median over noises; two images are of neighbouring noises, in the order of their classes."""
    subject = zoo_subject(name, guidance)
    x = subject.noise(_ROWS, _SEED) * subject.sigma_range.sigma_max
    first = subject.denoiser(x, torch.full((_ROWS,), subject.sigma_range.sigma_max), **subject.extra_args(_ROWS))
    end = subject.teacher_ends(x, _LEVELS).float()
    away, apart = ((a - end).flatten(1).square().mean(1).median() for a in (first, end.roll(1, 0)))
    return float((away / apart).sqrt())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MEMBER@GUIDANCE")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for text in args.models:
        name, _, guidance = text.partition("@")
        print(f"{text:<32} {first_output_share(name, float(guidance or 1.0)):.2f}", flush=True)


if __name__ == "__main__":
    main()
