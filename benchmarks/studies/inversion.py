"""Round trips of DDIM inversion, held against the plain inversion with the same model calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...schedules.core.metrics import geometric_mean, sample_errors
from ...schedules.hosting.named_curves import CURVES
from ...schedules.hosts.schedules import host_schedules
from ...schedules.variance.calls import sample_euler
from ...schedules.variance.ddim import sample_ddim
from ...schedules.variance.inversion import Inversion, InversionReport
from ..analytic import power_law, random_mixture
from ..asked import average, verdict
from ..cases import load_case

STEPS = (10, 20, 50)
SCHEDULES = ("simple", "normal", "karras")
# FlipSigmas of ComfyUI starts here.
FIRST = 1e-4


@dataclass(frozen=True)
class Trip:
    """One inversion and the run back.

    Attributes:
        steps, calls: of ours; the plain inversion ran `calls` steps.
        ours, plain: round-trip error, geometric mean over images of the RMSE.
    """

    case: str
    schedule: str
    steps: int
    calls: int
    ours: float
    plain: float

    @property
    def gain(self) -> float:
        return self.plain / self.ours


Levels = Callable[[int], Tensor]


def trip(model: Any, image: Tensor, down: Tensor, inversion: Inversion, args: dict[str, Any]) -> tuple[float, int]:
    """Round-trip error and model calls of the way up."""
    up, said = down.flip(0).clone(), list[InversionReport]()
    up[0] = FIRST
    noise = sample_ddim(model, image, up, args, inversion=inversion, report=said.append)
    back = sample_ddim(model, noise, down, args)
    return geometric_mean(sample_errors(back, image)), sum(said[0].calls)


def trips(case: str, model: Any, image: Tensor, args: dict[str, Any], schedules: dict[str, Levels]) -> Iterator[Trip]:
    """Every schedule and step count of a case."""
    for name, levels in schedules.items():
        for steps in STEPS:
            ours, calls = trip(model, image, levels(steps), Inversion(), args)
            plain, _ = trip(model, image, levels(calls), Inversion(corrections=0), args)
            yield Trip(case, name, steps, calls, ours, plain)


def demo_trips(key: str, images: int) -> Iterator[Trip]:
    """On a bundled model: its own finished images, inverted."""
    case = load_case(key, images)
    known = host_schedules(case.subject.sigma_range)
    schedules = {name: known[name] for name in SCHEDULES}
    yield from trips(key, case.subject.denoiser, case.end.float(), case.subject.extra_args(images), schedules)


def analytic_trips(flow: bool, images: int) -> Iterator[Trip]:
    """On a mixture whose denoiser is a formula: samples of it, inverted."""
    low, high = (0.003, 1.0) if flow else (0.0292, 14.6146)
    mixture = random_mixture(0, power_law(128, 1.0), flow=flow)
    draw = torch.Generator().manual_seed(1)
    levels = lambda steps: CURVES["karras"](steps, low, high, flow=flow)  # noqa: E731
    image = sample_euler(mixture, high * torch.randn(images, 128, generator=draw), levels(250))
    yield from trips(f"mixture {'flow' if flow else 'VE'}", mixture, image, {}, {"karras": levels})


def report_trips(trips: Sequence[Trip]) -> Iterator[str]:
    """A row per case and schedule: steps(calls) and the gain."""
    yield f"Round trip: error of the plain inversion with the same model calls / ours, at {STEPS} steps (calls of both)"
    for case in dict.fromkeys(one.case for one in trips):
        for schedule in dict.fromkeys(one.schedule for one in trips if one.case == case):
            row = [one for one in trips if (one.case, one.schedule) == (case, schedule)]
            cells = "".join(f"{one.gain:8.2f} ({one.calls})".rjust(16) for one in row)
            yield f"  {case:<16}{schedule:<10}{cells}   ours {', '.join(f'{one.ours:.4f}' for one in row)}"
    gains = [one.gain for one in trips]
    worst = min(trips, key=lambda one: one.gain)
    yield verdict("average", average(gains), 3.0)
    yield verdict(f"worst: {worst.case}, {worst.schedule}, {worst.steps} steps", worst.gain, 3.0)
    yield f"      {sum(gain >= 3.0 for gain in gains)} of {len(gains)} cells reach 3"
