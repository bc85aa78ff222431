"""Figures of variance control and DDIM: python -P -m sigmasmith.benchmarks variance (about 2 minutes)

Inversion: round-trip error against the plain flipped-sigmas inversion with the same number of model calls. Composition:
how alike images of other step counts are. Overhead: milliseconds per step beyond a bare loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...cli.subjects import demo_subject
from ...demo.models.network import Architecture, UNet
from ...schedules.hosting.named_curves import CURVES
from ...schedules.hosts.schedules import host_schedules
from ...schedules.variance.calls import sample_euler
from ...schedules.variance.control import Control
from ...schedules.variance.controlled import RunNoise, sample_controlled
from ...schedules.variance.ddim import sample_ddim
from ...schedules.variance.eta_curves import constant
from ...schedules.variance.noise import NoiseKind, NoiseSource
from ...schedules.variance.steppers import OdeStepper
from ..asked import verdict
from ..cases import CASES
from . import study_parser
from .inversion import Trip, analytic_trips, demo_trips, report_trips

QUICK_CASES = ("digits_eps:1", "digits_flow:1")


# Overhead -------------------------------------------------------------------------------------------------------------


class Ready:
    """A model that costs nothing."""

    def __init__(self, answer: Tensor) -> None:
        self.answer = answer

    def __call__(self, x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return self.answer


def milliseconds(function: Callable[[], Any], repeats: int, parts: int = 1) -> float:
    """Least time of a call, divided by its parts: other work on the machine only ever adds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times) / parts


def bare_ancestral(model: Any, x: Tensor, sigmas: Tensor, noise: Callable[[Any, Any], Tensor]) -> Tensor:
    """The loop that a host's euler_ancestral is, and nothing else."""
    for i in range(len(sigmas) - 1):
        sigma, after = sigmas[i], sigmas[i + 1]
        denoised = model(x, sigma * x.new_ones([x.shape[0]]))
        up = (after**2 * (sigma**2 - after**2) / sigma**2) ** 0.5
        down = (after**2 - up**2) ** 0.5
        x = denoised if down == 0 else x + (x - denoised) / sigma * (down - sigma) + noise(sigma, after) * up
    return x


def overhead() -> Iterator[tuple[str, float, float]]:
    """(mode, milliseconds per step beyond the bare loop, the same in percent of a step with a small network)."""
    sigmas, x = CURVES["karras"](20, 0.03, 14.6), torch.randn(1, 4, 128, 128)
    model, draw = Ready(torch.randn_like(x)), torch.Generator().manual_seed(0)
    noise = RunNoise(lambda a, b: torch.randn(x.shape, generator=draw), lambda: torch.randn(x.shape, generator=draw))
    network = UNet(Architecture(channels=4, size=128, classes=10)).eval()
    labels = torch.zeros(1, dtype=torch.long)
    step = milliseconds(lambda: network(x, torch.zeros(1), labels), 5)
    runs = {
        "eta 0": (Control(constant(0.0)), sample_euler),
        "eta 1": (Control(constant(1.0)), None),
        "eta cosine, posterior": (Control(constant(1.0), posterior=0.5), None),
        "eta 0, clamp": (Control(constant(0.0), clamp=constant(0.5)), sample_euler),
    }
    for name, (control, plain) in runs.items():
        stepper = OdeStepper(sample_euler, False)
        bare = lambda plain=plain: (  # noqa: E731
            plain(model, x, sigmas) if plain else bare_ancestral(model, x, sigmas, noise.between)
        )
        ours = lambda control=control, stepper=stepper: sample_controlled(  # noqa: E731
            model, x, sigmas, stepper=stepper, control=control, noise=noise
        )
        pairs = [(milliseconds(ours, 1, 20), milliseconds(bare, 1, 20)) for _ in range(30)]
        extra = min(one for one, _ in pairs) - min(other for _, other in pairs)
        yield name, extra, 100.0 * extra / (step + min(other for _, other in pairs))


# Composition ----------------------------------------------------------------------------------------------------------


def likeness(key: str, kind: NoiseKind, few: int, many: int = 160, images: int = 8) -> float:
    """Mean correlation of images of `few` steps with those of `many` steps, eta 1, the same seeds."""
    subject = demo_subject(*CASES[key])
    schedule, start = host_schedules(subject.sigma_range)["normal"], subject.noise(images, 1)
    ends = []
    for steps in (few, many):
        x = start * subject.sigma_range.sigma_max
        source, flow = NoiseSource(kind, (3,)), subject.sigma_range.flow
        args = subject.extra_args(images)
        ends.append(sample_ddim(subject.denoiser, x, schedule(steps), args, eta=1.0, noise=source, flow=flow))
    return sum(float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) for a, b in zip(*ends)) / images


# In print -------------------------------------------------------------------------------------------------------------


def report_composition() -> Iterator[str]:
    yield "Composition: correlation of images of 10, 20, 40 steps with those of 160, eta 1, the same seeds"
    for key in QUICK_CASES:
        for kind in ("white", "path"):
            cells = "".join(f"{likeness(key, kind, few):8.2f}" for few in (10, 20, 40))
            yield f"  {key:<16}{'one path' if kind == 'path' else 'fresh noise':<14}{cells}"


def report_overhead() -> Iterator[str]:
    yield "Overhead per step on a 128 x 128 x 4 latent: ms beyond the bare loop, percent of a step with a small U-Net"
    shares = []
    for name, extra, share in overhead():
        shares.append(share)
        yield f"  {name:<24} {extra:7.3f} ms   {share:5.2f} %"
    yield verdict("largest, percent", max(shares), 1.0, most=True)


def main(argv: Sequence[str]) -> int:
    """Print all three; returns the exit status."""
    parser = study_parser("variance", __doc__)
    parser.add_argument("--quick", action="store_true", help="two of the bundled models")
    parser.add_argument("--images", type=int, default=4, help="inverted per case, default %(default)s")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    started = time.monotonic()
    trips: list[Trip] = [*analytic_trips(False, args.images), *analytic_trips(True, args.images)]
    for key in QUICK_CASES if args.quick else CASES:
        trips += demo_trips(key, args.images)
    for part in (report_trips(trips), report_composition(), report_overhead()):
        for line in part:
            print(line, flush=True)
        print()
    print(f"Done in {time.monotonic() - started:.0f} s.")
    return 0
