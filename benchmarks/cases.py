"""Cases to measure on: a model under a guidance, with held-out noises and their converged end states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cli.subjects import PlainSubject, demo_subject
from ..demo import DEMO_NAMES
from ..schedules.core.metrics import geometric_mean, sample_errors
from ..schedules.core.types import SamplerFunction
from ..schedules.hosts.schedules import host_schedules

STEPS = (5, 8, 10, 20)
SAMPLER = "dpmpp_2m"
REFERENCE_LEVELS = 250
GUIDANCES = (1.0, 3.0)
CASES = {f"{name}:{cfg:g}": (name, cfg) for name in DEMO_NAMES for cfg in GUIDANCES}
QUICK_CASES = tuple(name for name in CASES if name.startswith("digits"))
# Far from the seeds of calibration noises, so that no held-out noise is one of those.
HELD_OUT_SEED = 1_000_003


@dataclass(frozen=True)
class Options:
    """How much to measure.

    Args:
        noises: held-out rows of every comparison at denoise 1.
        calibration: rows of the fits in the promised figures.
        small: calibration rows of the further fits at effort fast.
        euler: calibration rows of the fit for euler.
        images: of the published OSS search.
        partial_noises, rounded_noises: rows of the comparisons at denoise below 1 and with rounded outputs.
    """

    noises: int = 128
    calibration: int = 64
    small: tuple[int, ...] = (4, 8, 16)
    euler: int = 32
    images: int = 8
    partial_noises: int = 128
    rounded_noises: int = 32


@dataclass(frozen=True)
class Case:
    """One model and guidance with start states and references.

    Attributes:
        noise: (B, ...) of the start states where `x` is not given: sigmas[0] * noise.
        end: (B, ...) converged end states.
        x: (B, ...) start states of every schedule, or None.
    """

    subject: PlainSubject
    noise: Tensor
    end: Tensor
    x: Tensor | None = None

    def error(self, sigmas: Tensor, sampler: str | SamplerFunction = SAMPLER) -> float:
        """Geometric mean of the RMSE to the reference. A schedule that starts lower starts with that much less noise,
        as in the hosts."""
        start = self.noise * float(sigmas[0]) if self.x is None else self.x
        return geometric_mean(sample_errors(self.subject.end_states(start, sampler, sigmas), self.end))

    def part(self, rows: int) -> Case:
        """The same case on its first rows."""
        return replace(self, noise=self.noise[:rows], end=self.end[:rows], x=None if self.x is None else self.x[:rows])


def load_case(key: str, noises: int) -> Case:
    """A case of CASES with `noises` held-out noises."""
    return case_of(demo_subject(*CASES[key]), noises)


def case_of(subject: PlainSubject, noises: int, levels: int = REFERENCE_LEVELS) -> Case:
    """A model with `noises` held-out noises; its references have `levels` levels."""
    noise = subject.noise(noises, HELD_OUT_SEED)
    return Case(subject, noise, subject.teacher_ends(noise * subject.sigma_range.sigma_max, levels))


def host_lists(subject: PlainSubject, steps: int) -> dict[str, Tensor]:
    """The hosts' schedules at one step count; of equal lists the first name stays."""
    lists: dict[str, Tensor] = {}
    for name, schedule in host_schedules(subject.sigma_range).items():
        sigmas = schedule(steps)
        if all(not torch.equal(sigmas, other) for other in lists.values()):
            lists[name] = sigmas
    return lists
