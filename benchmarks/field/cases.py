"""The cases of the comparison with the field: trained models and mixtures, each with its judge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...cli.subjects import Subject, demo_subject
from ...demo import DEMO_NAMES, load_classifier
from ...schedules.core.types import SamplerFunction
from ...schedules.fitting.budget import Budget
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.sketch import Sketch
from ...schedules.fitting.teacher.teacher import run_teacher, teacher_sigmas
from ..cases import GUIDANCES, HELD_OUT_SEED, reference
from ..mixtures import MIXTURES, ModeClassifier, mixture_model, mixture_subject
from .judge import Judge

STEPS = (4, 5, 6, 8, 10, 15, 20)
# The step count whose further figures the tables show.
SHOWN = 10
TEACHER_STEPS = 100
FIELD_CASES = {f"{name}:{cfg:g}": (name, cfg) for name in (*DEMO_NAMES, *MIXTURES) for cfg in GUIDANCES}
QUICK_FIELD_CASES = ("digits_eps:3", "digits_flow:1", "mixture_eps:3", "mixture_flow:3")
_CALIBRATION_SEED = 0


@dataclass(frozen=True)
class FieldCase:
    """A model and guidance, noises to fit on, and held-out noises with their judge.

    Attributes:
        noise: (B, ...) held out of every fit.
        calibration: (C, ...) noises that every method fits on.
    """

    key: str
    subject: Subject
    noise: Tensor
    calibration: Tensor
    judge: Judge

    def ends(self, sampler: SamplerFunction, sigmas: Tensor, rows: int) -> Tensor:
        """End states of the first `rows` held-out noises. A schedule that starts lower starts with less noise."""
        start = self.noise[:rows] * float(sigmas[0])
        return sampler(self.subject.denoiser, start, sigmas.clone(), extra_args=self.subject.extra_args(rows))


def trained(key: str) -> bool:
    """Whether a case's model is a trained one."""
    return FIELD_CASES[key][0] in DEMO_NAMES


def load_field_case(key: str, held_out: int, calibration: int) -> FieldCase:
    """A case of FIELD_CASES."""
    name, guidance = FIELD_CASES[key]
    subject = mixture_subject(name, guidance) if name in MIXTURES else demo_subject(name, guidance)
    noise, top = subject.noise(held_out, HELD_OUT_SEED), subject.sigma_range.sigma_max
    converged = reference(subject, noise * top, top)
    mixed = name in MIXTURES
    classify = ModeClassifier(mixture_model(name, guidance)) if mixed else load_classifier(name.split("_")[0])
    judge = Judge(converged, _teacher(subject, noise * top), classify)
    return FieldCase(key, subject, noise, subject.noise(calibration, _CALIBRATION_SEED), judge)


def _teacher(subject: Subject, x: Tensor) -> Tensor:
    """End states after TEACHER_STEPS steps of the method that the reference takes too, third-order exponential."""
    run = DirectRun(subject.denoiser, x, subject.extra_args(len(x)))
    levels = teacher_sigmas(TEACHER_STEPS, subject.sigma_range)
    with torch.no_grad():
        return run_teacher(run, levels, slice(0, len(x)), Sketch(1, 1), Budget(len(x), float(TEACHER_STEPS))).end
