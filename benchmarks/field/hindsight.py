"""Every host schedule with every host sampler, and which of them is best at each number of model calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ...schedules.core.metrics import geometric_mean, sample_errors
from ...schedules.core.types import SamplerFunction
from ...schedules.hosts.schedules import DEFAULT_HOST, host_schedules
from ..cases import SAMPLER
from .cases import FieldCase
from .host_samplers import host_samplers
from .records import HOST, Record

# Step counts that are held against twice as many of the hosts' steps.
TWICE = (5, 8, 10)


@dataclass(frozen=True)
class Sieve:
    """How hundreds of pairs of schedule and sampler are narrowed down.

    Args:
        rows: held-out noises that every pair is run on.
        more_rows, more: noises that the best `more` pairs are run on.
        finalists: the best of those, and as many of SAMPLER alone, are run on all noises.
    """

    rows: int = 4
    more_rows: int = 12
    more: int = 16
    finalists: int = 2


@dataclass(frozen=True)
class _Pair:
    schedule: str
    sampler: str
    run: SamplerFunction
    sigmas: Tensor


def host_records(case: FieldCase, steps: Sequence[int], sieve: Sieve) -> list[Record]:
    """Records of every pair, each on as many noises as it came to; the finalists and the hosts' default on all.

    Twice the step counts of TWICE are there too, with SAMPLER alone.
    """
    records = [record for count in steps for record in _at(case, count, sieve, _pairs(case, count))]
    for count in [2 * count for count in TWICE if count in steps and 2 * count not in steps]:
        own = [pair for pair in _pairs(case, count) if pair.sampler == SAMPLER]
        records += _at(case, count, sieve, own)
    return records


def _at(case: FieldCase, steps: int, sieve: Sieve, pairs: Sequence[_Pair]) -> list[Record]:
    everything = len(case.noise)
    errors: dict[tuple[str, str], tuple[int, float]] = {}

    def run(pair: _Pair, rows: int) -> float:
        error = geometric_mean(sample_errors(case.ends(pair.run, pair.sigmas, rows), case.judge.reference[:rows]))
        errors[pair.schedule, pair.sampler] = rows, error
        return error

    first = sorted(pairs, key=lambda pair: run(pair, min(sieve.rows, everything)))
    kept = first[: sieve.more] + [pair for pair in first[sieve.more :] if pair.sampler == SAMPLER]
    second = sorted(kept, key=lambda pair: run(pair, min(sieve.more_rows, everything)))
    own = [pair for pair in second if pair.sampler == SAMPLER]
    default = [pair for pair in own if pair.schedule == DEFAULT_HOST]
    # By name: a pair may be among all three, and tensors have no equality to go by.
    finalists = {(p.schedule, p.sampler): p for p in [*second[: sieve.finalists], *own[: sieve.finalists], *default]}
    records = [
        Record(case.key, HOST, *pair, steps, rows, error)
        for pair, (rows, error) in errors.items()
        if pair not in finalists
    ]
    for name, pair in finalists.items():
        figures = asdict(case.judge(case.ends(pair.run, pair.sigmas, everything)))
        records.append(Record(case.key, HOST, *name, steps, everything, **figures))
    return records


def _pairs(case: FieldCase, calls: int) -> list[_Pair]:
    """Every pair; of equal lists with one sampler the first name stays."""
    known = case.subject.sigma_range
    pairs: list[_Pair] = []
    for sampler in host_samplers(known).values():
        lists: list[Tensor] = []
        for name, schedule in host_schedules(known).items():
            sigmas = sampler.sigmas(schedule, calls)
            if sigmas is None or any(torch.equal(sigmas, other) for other in lists):
                continue
            lists.append(sigmas)
            pairs.append(_Pair(name, sampler.name, sampler.run, sigmas))
    return pairs
