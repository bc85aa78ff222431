"""Gains of the error feedback, on the bundled models and an analytic one.

python -P -m sigmasmith.benchmarks feedback

1. Error map: how well it ranks the pixels of an image and the images of a batch by their true error, and its size.
2. Capped 2M: its error over that of dpmpp_2m.
3. Refine by error: error over that of the run before, of rounds in a region, of the same rounds on all pixels, and of
   one longer run of the same schedule with as many model calls in all.
4. Whether the spread of the model's outputs over re-noised copies of the result tells more than the error map.

Error: RMSE to a converged solution from the same noise, geometric mean over samples and cases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cli.subjects import available_demos, demo_subject
from ...schedules.core.metrics import geometric_mean
from ...schedules.core.noise_space import SigmaRange
from ...schedules.feedback.capped import sample_capped_2m
from ...schedules.feedback.estimate import RunRecord, observed, root_mean_square
from ...schedules.feedback.refine import Pass, Refinement, Resample, refine
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ..analytic import GaussianTeacher
from ..asked import average
from ..cases import HELD_OUT_SEED
from . import study_parser
from .case import StudyCase, measured_on

ROWS = 16
GUIDANCES = (1.0, 3.0, 7.0)
SCHEDULES = ("beta", "simple")
SHARES = (0.1, 0.25, 1.0)
PROBES = (0.1, 0.3, 0.5)  # shares of noise


@dataclass(frozen=True)
class FeedbackCase(StudyCase):
    """Under a guidance."""

    cfg: float

    def sigmas(self, schedule: str, steps: int) -> Tensor:
        return host_schedules(self.sigma_range)[schedule](steps)

    def run(self, sampler: Callable[..., Tensor], sigmas: Tensor) -> Pass:
        record = RunRecord(keep_states=True)
        end = observed(sampler, record)(self.model, self.x, sigmas, extra_args=self.extra_args)
        return Pass(record, end, len(record.levels))

    def resample(self, sampler: Callable[..., Tensor]) -> Resample:
        """A region again from a state, outside of it the image on that state's noise, as the hosts' masks do it."""
        flow = self.sigma_range.flow

        def again(state: Tensor, sigmas: Tensor, image: Tensor, region: Tensor, _: int) -> Pass:
            mask, level = region.unsqueeze(1), float(sigmas[0])
            state = state.to(image)
            noise = (state - (1.0 - level if flow else 1.0) * image) / level

            def model(x: Tensor, sigma: Tensor, **args: Any) -> Tensor:
                s = sigma.reshape(-1, 1, 1, 1)
                held = (1.0 - s if flow else 1.0) * image + s * noise
                return self.model(x * mask + held * (1.0 - mask), sigma, **args) * mask + image * (1.0 - mask)

            record = RunRecord()
            end = observed(sampler, record)(model, state, sigmas, extra_args=self.extra_args)
            return Pass(record, end, len(record.levels))

        return again


def demo_cases() -> Iterator[FeedbackCase]:
    for name in available_demos():
        for cfg in GUIDANCES:
            yield FeedbackCase(name, **measured_on(demo_subject(name, cfg), ROWS), cfg=cfg)


def analytic_case(size: int = 16) -> FeedbackCase:
    """Independent pixels with an exact solution; in three quarters of the image the data hardly vary."""
    variance = torch.full((size, size), 1e-6, dtype=torch.float64)
    variance[: size // 2, : size // 2] = 1.0
    teacher = GaussianTeacher(torch.zeros(size * size, dtype=torch.float64), variance.flatten())
    sigma_range = SigmaRange(0.0291671582, 14.6146412293)
    noise = torch.randn(ROWS, 1, size, size, generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    x = noise * sigma_range.sigma_max

    def model(x: Tensor, sigma: Tensor, **_: Any) -> Tensor:
        return teacher(x.flatten(1), sigma).reshape(x.shape)

    end = teacher.at(x.flatten(1), sigma_range.sigma_max, 0.0).reshape(x.shape)
    return FeedbackCase("analytic", model, sigma_range, x, end, {}, 1.0)


def rank_correlation(left: Tensor, right: Tensor) -> float:
    """Spearman's, without ties."""
    ranks = torch.stack([each.flatten().argsort().argsort().double() for each in (left, right)])
    return float(torch.corrcoef(ranks)[0, 1])


def probe_spread(case: FeedbackCase, end: Tensor, share: float, probes: int = 4) -> Tensor:
    """(B, H, W) spread of the model's outputs over re-noised copies of a result: a map of what the model is unsure of.

    Args:
        share: of noise that the copies get.
    """
    flow = case.sigma_range.flow
    level = share if flow else share / (1.0 - share)
    generator, outputs = torch.Generator().manual_seed(11), []
    for _ in range(probes):
        noise = torch.randn(end.shape, generator=generator, dtype=end.dtype)
        x = (1.0 - level if flow else 1.0) * end + level * noise
        outputs.append(case.model(x, x.new_full((len(x),), level), **case.extra_args))
    return torch.stack(outputs).var(dim=0).mean(dim=1).sqrt()


def probe_row(case: FeedbackCase) -> str:
    """Rank correlation over pixels with the true error of 8 steps: of the error map, and of probes by noise share."""
    run = case.run(own_sampler("dpmpp_2m"), case.sigmas("simple", 8))
    error = (run.end - case.end).square().mean(dim=1).sqrt()
    maps = [run.record.map(), *(probe_spread(case, run.end, share) for share in PROBES)]
    return " ".join(f"{np.mean([rank_correlation(a, b) for a, b in zip(error, each)]):8.2f}" for each in maps)


def map_row(case: FeedbackCase) -> str:
    """Rank correlations and size of the map, mean over two samplers and two schedules."""
    pixels, images, sizes = [], [], []
    for name, steps in (("dpmpp_2m", 8), ("euler", 10)):
        for schedule in SCHEDULES:
            run = case.run(own_sampler(name), case.sigmas(schedule, steps))
            error = (run.end - case.end).square().mean(dim=1).sqrt()
            guess = run.record.map()
            pixels += [rank_correlation(a, b) for a, b in zip(error, guess)]
            true, estimated = root_mean_square(error), root_mean_square(guess)
            images.append(rank_correlation(true, estimated))
            sizes.append(geometric_mean(estimated / true))
    return f"{np.mean(pixels):8.2f} {np.mean(images):8.2f} {average(sizes):8.2f}"


def capped_ratios(case: FeedbackCase) -> list[float]:
    """Error of capped 2M over that of dpmpp_2m at 5 to 20 steps."""
    ratios = []
    for steps in (5, 8, 12, 20):
        for sigmas in (case.sigmas(schedule, steps) for schedule in SCHEDULES):
            plain, capped = (
                case.error(sampler(case.model, case.x, sigmas, extra_args=case.extra_args))
                for sampler in (own_sampler("dpmpp_2m"), sample_capped_2m)
            )
            ratios.append(capped / plain)
    return ratios


def refine_row(case: FeedbackCase, name: str, schedule: str, steps: int) -> list[float]:
    """Error over the first run's with as many calls again: of SHARES in turn, of one longer run; pixels changed."""
    sampler, sigmas = own_sampler(name), case.sigmas(schedule, steps)
    first = case.run(sampler, sigmas)
    before, again = case.error(first.end), case.resample(sampler)
    refinements: list[Refinement] = [
        refine(first, sigmas, again, budget=steps, sigma_min=case.sigma_range.sigma_min, share=share)
        for share in SHARES
    ]
    longer = case.run(sampler, case.sigmas(schedule, 2 * steps)).end
    changed = float(refinements[1].region.mean())
    return [*(case.error(each.end) / before for each in refinements), case.error(longer) / before, changed]


def print_maps(cases: list[FeedbackCase]) -> None:
    print("1. Error map: rank correlation over pixels, over images; estimate / true error")
    for case in cases:
        print(f"{case.name:12s} cfg {case.cfg:g} {map_row(case)}", flush=True)


def print_capped(cases: list[FeedbackCase]) -> None:
    print("\n2. Error of capped 2M over dpmpp_2m's, 5 to 20 steps (worst)")
    for kind, flow in (("noise prediction", False), ("flow", True)):
        for cfg in GUIDANCES:
            chosen = [case for case in cases if case.sigma_range.flow == flow and case.cfg == cfg]
            ratios = [ratio for case in chosen for ratio in capped_ratios(case)]
            print(f"{kind:16s} cfg {cfg:g}  {average(ratios):.2f} ({max(ratios):.2f})", flush=True)


def print_refined(bundled: list[FeedbackCase], analytic: FeedbackCase) -> None:
    print("\n3. Refine by error, as many model calls again: error over the first run's")
    print(f"{'':28s} worst 10%  worst 25%  all pixels  longer run   changed at 25%")
    every: list[list[float]] = []
    for group, cases in (("bundled", bundled), ("analytic", [analytic])):
        for name, steps in (("dpmpp_2m", 8), ("euler", 10)):
            for schedule in SCHEDULES:
                table = np.array([refine_row(case, name, schedule, steps) for case in cases])
                means = " ".join(f"{average(table[:, column]):10.2f}" for column in range(4))
                print(f"{group:9s} {name + ' ' + schedule:18s} {means} {table[:, 4].mean():12.0%}", flush=True)
                every += table.tolist() if group == "bundled" else []
    _, region, whole, longer, _ = np.array(every).T
    print(
        f"bundled models, {len(every)} cases: the worst 25% lower the error in {(region < 1.0).sum()}, more than the "
        f"same calls on all pixels in {(region < whole).sum()}, more than one longer run in {(region < longer).sum()}; "
        f"all pixels lower it more than one longer run in {(whole < longer).sum()}."
    )


def print_probes(cases: list[FeedbackCase]) -> None:
    print(
        "\n4. Rank correlation over pixels with the true error: error map (no call), spread of 4 probes at "
        + str(PROBES)
    )
    for case in cases:
        print(f"{case.name:12s} cfg {case.cfg:g} {probe_row(case)}", flush=True)


def main(argv: Sequence[str]) -> int:
    """Print all four; returns the exit status."""
    study_parser("feedback", __doc__).parse_args(argv)
    torch.set_num_threads(1)
    start = time.perf_counter()
    bundled, analytic = list(demo_cases()), analytic_case()
    print(f"{len(bundled)} cases and an analytic one, {ROWS} noises; references: {time.perf_counter() - start:.0f} s\n")
    print_maps([*bundled, analytic])
    print_capped(bundled)
    print_refined(bundled, analytic)
    print_probes(bundled)
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0
