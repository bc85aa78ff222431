"""The cases of the comparison with the field: trained models and mixtures, each with its judge."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...cli.subjects import PlainSubject, demo_subject
from ...demo import DEMO_NAMES, load_classifier
from ...schedules.core.types import SamplerFunction
from ..cases import GUIDANCES, HELD_OUT_SEED, REFERENCE_LEVELS
from ..mixtures import MIXTURES, ModeClassifier, mixture_model, mixture_subject
from .judge import Judge

STEPS = (4, 5, 6, 8, 10, 15, 20)
# The step count whose further figures the tables show.
SHOWN = 10
# Of the teacher whose classes are compared; it takes the method of the reference, third-order exponential.
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
    subject: PlainSubject
    noise: Tensor
    calibration: Tensor
    judge: Judge

    def ends(self, sampler: SamplerFunction, sigmas: Tensor, rows: int) -> Tensor:
        """End states of the first `rows` held-out noises. A schedule that starts lower starts with less noise."""
        return self.subject.end_states(self.noise[:rows] * float(sigmas[0]), sampler, sigmas)


def trained(key: str) -> bool:
    """Whether a case's model is a trained one."""
    return FIELD_CASES[key][0] in DEMO_NAMES


def load_field_case(key: str, held_out: int, calibration: int) -> FieldCase:
    """A case of FIELD_CASES."""
    name, guidance = FIELD_CASES[key]
    subject = mixture_subject(name, guidance) if name in MIXTURES else demo_subject(name, guidance)
    noise = subject.noise(held_out, HELD_OUT_SEED)
    converged, teacher = (
        subject.teacher_ends(noise * subject.sigma_range.sigma_max, levels)
        for levels in (REFERENCE_LEVELS, TEACHER_STEPS)
    )
    mixed = name in MIXTURES
    classify = ModeClassifier(mixture_model(name, guidance)) if mixed else load_classifier(name.split("_")[0])
    judge = Judge(converged, teacher, classify)
    return FieldCase(key, subject, noise, subject.noise(calibration, _CALIBRATION_SEED), judge)
