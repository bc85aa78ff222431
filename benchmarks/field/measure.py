"""The comparison with the field: one case's records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import torch

from ..cases import SAMPLER
from .cases import SHOWN, STEPS, FieldCase, load_field_case
from .hindsight import Sieve, host_records
from .methods import MULTISTEP, Method, ours, published_methods
from .records import Record


@dataclass(frozen=True)
class FieldOptions:
    """How much to measure.

    Args:
        noises: held out of every fit.
        calibration: noises that every method fits on.
        steps: step counts.
        fits: ours: sampler, effort, and the step counts to fit together, None for all.
        sieve: of the hosts' pairs.
        methods: names of the methods to run, None for all.
    """

    noises: int = 64
    calibration: int = 32
    steps: tuple[int, ...] = STEPS
    fits: tuple[tuple[str, str, tuple[int, ...] | None], ...] = (
        (SAMPLER, "fast", None),
        (MULTISTEP, "fast", None),
        (MULTISTEP, "balanced", None),
        (MULTISTEP, "thorough", (SHOWN,)),
    )
    sieve: Sieve = field(default_factory=Sieve)
    methods: tuple[str, ...] | None = None


QUICK = FieldOptions(noises=32, calibration=16, steps=(5, 8, 10), fits=FieldOptions.fits[:3], sieve=Sieve(3, 8, 12, 2))


def all_methods(options: FieldOptions) -> list[Method]:
    """The methods that are asked for."""
    methods = [*published_methods(), *(ours(*fit) for fit in options.fits)]
    return [method for method in methods if options.methods is None or method.name in options.methods]


def measure_case(key: str, options: FieldOptions) -> tuple[list[Record], float, float]:
    """(records, wall-clock seconds, processor seconds) of one case."""
    torch.set_num_threads(1)
    started, busy = time.monotonic(), time.process_time()
    with torch.no_grad():
        case = load_field_case(key, options.noises, options.calibration)
        records = host_records(case, options.steps, options.sieve)
        for method in all_methods(options):
            records += method_records(case, method, options.steps)
    return records, time.monotonic() - started, time.process_time() - busy


def method_records(case: FieldCase, method: Method, steps: Sequence[int]) -> list[Record]:
    """Fit with one method, and run its students on the held-out noises."""
    counts = tuple(count for count in steps if method.steps is None or count in method.steps)
    if not counts:
        return []
    started, busy = time.monotonic(), time.process_time()
    fitted = method.fit(case.subject, case.calibration, counts)
    seconds, cpu = time.monotonic() - started, time.process_time() - busy
    spent = {"evaluations": fitted.evaluations, "seconds": seconds, "cpu": cpu}
    records: list[Record] = []
    for sampler, runs in fitted.students.items():
        for count, (run, sigmas) in runs.items():
            figures = {**asdict(case.judge(case.ends(run, sigmas, len(case.noise)))), **spent}
            records.append(Record(case.key, method.kind, method.name, sampler, count, len(case.noise), **figures))
    return records
