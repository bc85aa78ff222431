"""What is measured on: a model under a guidance, with held-out noises and their converged end states."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cli.subjects import Subject, demo_subject
from ..demo import DEMO_NAMES
from ..schedules.core.metrics import geometric_mean, sample_errors
from ..schedules.core.noise_space import SigmaRange
from ..schedules.fitting.budget import Budget
from ..schedules.fitting.direct import DirectRun
from ..schedules.fitting.sketch import Sketch
from ..schedules.fitting.teacher.teacher import run_teacher, teacher_sigmas
from ..schedules.hosts.schedules import host_schedules
from ..schedules.samplers.by_name import own_sampler

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

    subject: Subject
    noise: Tensor
    end: Tensor
    x: Tensor | None = None

    def error(self, sigmas: Tensor, sampler: str = SAMPLER) -> float:
        """Geometric mean of the RMSE to the reference. A schedule that starts lower starts with that much less noise,
        as in the hosts."""
        start = self.noise * float(sigmas[0]) if self.x is None else self.x
        args = self.subject.extra_args(len(start))
        end = own_sampler(sampler)(self.subject.denoiser, start, sigmas, extra_args=args)
        return geometric_mean(sample_errors(end, self.end))

    def part(self, rows: int) -> Case:
        """The same case on its first rows."""
        return replace(self, noise=self.noise[:rows], end=self.end[:rows], x=None if self.x is None else self.x[:rows])


def reference(subject: Subject, x: Tensor, sigma: float) -> Tensor:
    """(B, ...) end states of REFERENCE_LEVELS levels from x at `sigma`."""
    run = DirectRun(subject.denoiser, x, subject.extra_args(len(x)))
    limits = SigmaRange(subject.sigma_range.sigma_min, sigma, subject.sigma_range.flow)
    budget = Budget(len(x), float(REFERENCE_LEVELS))
    levels = teacher_sigmas(REFERENCE_LEVELS, limits, cold=sigma < subject.sigma_range.sigma_max)
    return run_teacher(run, levels, slice(0, len(x)), Sketch(1, 1), budget).end


def load_case(key: str, noises: int) -> Case:
    """A case of CASES with `noises` held-out noises."""
    subject = demo_subject(*CASES[key])
    noise, top = subject.noise(noises, HELD_OUT_SEED), subject.sigma_range.sigma_max
    return Case(subject, noise, reference(subject, noise * top, top))


def host_lists(subject: Subject, steps: int) -> dict[str, Tensor]:
    """The hosts' schedules at one step count; of equal lists the first name stays."""
    found: dict[str, Tensor] = {}
    for name, schedule in host_schedules(subject.sigma_range).items():
        sigmas = schedule(steps)
        if all(not torch.equal(sigmas, other) for other in found.values()):
            found[name] = sigmas
    return found
