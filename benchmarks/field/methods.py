"""The methods that fit schedules to a model: the published ones, and ours by effort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.types import SamplerFunction
from ...schedules.fitting.budget import Budget
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.refine.oss import published_oss
from ...schedules.hosts.schedules import DEFAULT_HOST, host_schedules
from ...schedules.samplers.fitted import NAME as MULTISTEP
from ..cases import SAMPLER
from ..published.ays import ays_schedules
from ..published.dmn import dmn_schedules
from ..published.gits import gits_schedules
from ..published.sharp_euler import sharp_euler_schedules
from ..published.trajectory import CountedDenoiser
from .host_samplers import host_samplers
from .records import OURS, PUBLISHED

# (method, sampler) of the fit that promises are made for; the first that was run.
LEADING = tuple((f"ours, {effort}", sampler) for sampler in (MULTISTEP, SAMPLER) for effort in ("balanced", "fast"))

OSS_NODES = 100
# Of the calibration noises, as each costs 2,100 evaluations. On the mixtures 64 in place of 8 changed the error by at
# most 3 %, either way.
OSS_IMAGES = 8


@dataclass(frozen=True)
class Students:
    """The students of a method and their cost.

    Attributes:
        students: sampler's name -> steps -> (function, sigmas).
        evaluations: model evaluations per calibration noise.
    """

    students: Mapping[str, Mapping[int, tuple[SamplerFunction, Tensor]]]
    evaluations: float


@dataclass(frozen=True)
class Method:
    """A way to fit schedules.

    Args:
        fit: (model and guidance, noises, step counts) -> Students.
        steps: the step counts that it is asked for; None: all.
    """

    name: str
    kind: str
    fit: Callable[[PlainSubject, Tensor, Sequence[int]], Students]
    steps: tuple[int, ...] | None = None


def published_methods() -> list[Method]:
    """Each with the sampler of its paper and with the one that we fit for."""
    return [
        _published("OSS", _oss, ("euler", SAMPLER)),
        _published("GITS", _of_range(gits_schedules), ("ipndm", SAMPLER)),
        _published("DMN", _dmn, ("uni_pc_bh2", SAMPLER)),
        _published("AYS", _of_range(ays_schedules), (SAMPLER,)),
        _published("SharpEuler", _of_range(sharp_euler_schedules), ("euler", SAMPLER)),
    ]


def ours(sampler: str, effort: str, steps: tuple[int, ...] | None = None) -> Method:
    """Our fit for one sampler at one effort; `steps` as in Method."""

    def fit(subject: PlainSubject, noise: Tensor, counts: Sequence[int]) -> Students:
        calibration = subject.fit(noise, sampler, tuple(counts), effort=effort)
        function = calibration.sampler_function()
        return Students({sampler: {count: (function, calibration.sigmas(count)) for count in counts}}, calibration.nfe)

    return Method(f"ours, {effort}", OURS, fit, steps)


Schedules = Callable[[CountedDenoiser, Tensor, PlainSubject, Sequence[int]], Mapping[int, Tensor]]


def _published(name: str, schedules: Schedules, samplers: Iterable[str]) -> Method:
    def fit(subject: PlainSubject, noise: Tensor, counts: Sequence[int]) -> Students:
        model = CountedDenoiser(subject.denoiser, subject.extra_args(len(noise)))
        sigmas, known = schedules(model, noise, subject, counts), host_samplers(subject.sigma_range)
        students = {each: {count: (known[each].run, sigmas[count]) for count in counts} for each in samplers}
        return Students(students, model.rows / len(noise))

    return Method(name, PUBLISHED, fit)


def _of_range(
    schedules: Callable[[CountedDenoiser, Tensor, SigmaRange, Sequence[int]], dict[int, Tensor]],
) -> Schedules:
    return lambda model, noise, subject, steps: schedules(model, noise, subject.sigma_range, steps)


def _oss(model: CountedDenoiser, noise: Tensor, subject: PlainSubject, steps: Sequence[int]) -> Mapping[int, Tensor]:
    images = noise[:OSS_IMAGES]
    run = DirectRun(subject.denoiser, images * subject.sigma_range.sigma_max, subject.extra_args(len(images)))
    nodes, budget = host_schedules(subject.sigma_range)[DEFAULT_HOST](OSS_NODES), Budget(len(images), 0.0)
    schedules = published_oss(run, nodes, steps, rows=slice(0, len(images)), budget=budget).schedules
    model.rows += round(budget.nfe * len(noise))  # what each image cost
    return schedules


def _dmn(model: CountedDenoiser, noise: Tensor, subject: PlainSubject, steps: Sequence[int]) -> Mapping[int, Tensor]:
    # Of the authors' two powers the one that ends nearer on our cases.
    return dmn_schedules(subject.sigma_range, steps, power=2 if subject.sigma_range.flow else 1)
