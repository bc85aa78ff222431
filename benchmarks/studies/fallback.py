"""The model-free fallback and every host schedule: python -P -m sigmasmith.benchmarks fallback

Endpoint error of every schedule against a fine reference, on mixtures whose denoiser is a formula and on the bundled
trained networks, with and without guidance, for dpmpp_2m and euler at 4 to 20 steps. Error: geometric mean over samples
of the RMSE. Printed: its ratio to the best host schedule of each cell, chosen in hindsight, geometric mean per group
of cells; the share of cells won; and the smallest sets of host schedules whose best comes nearest to all of them.
The same measure (plus a quarter of what exceeds 1) was minimised for the constants of schedules/curves/fallback.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...schedules.core.noise_space import Array, SigmaRange, shift_flow
from ...schedules.core.sigmas import finish_sigmas
from ...schedules.core.types import Schedule
from ...schedules.curves.fallback import fallback_sigmas
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ..analytic import MixtureDenoiser, power_law, random_mixture, thinned_power_law
from . import study_parser

STEPS = (4, 5, 6, 8, 10, 14, 20)
SAMPLERS = ("dpmpp_2m", "euler")
RANGES = {
    "Stable Diffusion, 0.0292 .. 14.6": SigmaRange(0.0291671582, 14.6146412293),
    "video diffusion, 0.002 .. 700": SigmaRange(0.002, 700.0),
    "flow, shift 3": SigmaRange(float(shift_flow(1e-3, 3.0)), 1.0, flow=True),
    "flow, shift 1": SigmaRange(1e-3, 1.0, flow=True),
}
_ROWS = 24
_REFERENCE_STEPS = 300


@dataclass(frozen=True)
class FallbackCase:
    """A model with noises, the end states of the reference, and what an error's dimensions weigh."""

    group: str
    model: Callable[..., Tensor]
    noise: Tensor
    reference: Tensor
    weights: Tensor
    extra_args: dict[str, Any] = field(default_factory=dict)

    def error(self, sigmas: Tensor, sampler: str) -> float:
        """Log of the geometric mean over samples of the weighted RMSE."""
        start = self.noise * sigmas[0]
        end = own_sampler(sampler)(self.model, start, sigmas, extra_args=self.extra_args)
        square = (end - self.reference).double().flatten(1).square() @ self.weights
        return float(square.sqrt().clamp_min(1e-9).log().mean())


def fine_sigmas(sigma_range: SigmaRange) -> Tensor:
    """A reference grid: even in log sigma, on flow models with half of its steps even in sigma above 1/2."""
    low, high = np.log(sigma_range.sigma_min), np.log(sigma_range.sigma_max)
    if not sigma_range.flow:
        return finish_sigmas(np.exp(np.linspace(high, low, _REFERENCE_STEPS)))
    upper = np.linspace(1.0, 0.5, _REFERENCE_STEPS // 2, endpoint=False)
    return finish_sigmas(np.append(upper, np.exp(np.linspace(np.log(0.5), low, _REFERENCE_STEPS // 2))))


def mixtures(sigma_range: SigmaRange) -> Iterator[tuple[str, MixtureDenoiser, Tensor]]:
    """(group, model, weights): three spectra of 64 to 192 dimensions, and latents of 256 and of 1024 pixels a side."""
    spectra: list[tuple[str, Tensor, Tensor, int, float]] = []
    for dim, exponent, modes, between in ((64, 1.0, 24, 0.5), (128, 1.4, 24, 0.6), (192, 1.6, 12, 0.3)):
        spectra.append(
            ("64-192 dims", power_law(dim, exponent), torch.full((dim,), 1.0 / dim).double(), modes, between)
        )
    for name, values in (("32x32x4", 4_096), ("128x128x4", 65_536)):
        spectra.append((name, *thinned_power_law(96, 1.1, values), 24, 0.5))
    for seed, (name, spectrum, weights, modes, between) in enumerate(spectra):
        for cfg in (1.0, 4.0):
            model = random_mixture(seed, spectrum, modes=modes, between=between, flow=sigma_range.flow, cfg=cfg)
            yield name, model, weights


def analytic_cells(sigma_range: SigmaRange) -> list[FallbackCase]:
    cells = []
    for name, model, weights in mixtures(sigma_range):
        noise = torch.randn(_ROWS, model.dim, generator=torch.Generator().manual_seed(1))
        labels = torch.arange(_ROWS) % 4
        extra = {} if model.cfg == 1.0 else {"labels": labels}
        cells.append(_cell(name, model, noise, extra, weights, sigma_range))
    return cells


def trained_cells(sigma_range: SigmaRange) -> list[FallbackCase]:
    """The bundled networks of this kind of model, where their range is this one and their weights are there."""
    from ...demo import DEMO_NAMES, load_demo

    cells = []
    for name in DEMO_NAMES:
        if name.endswith("flow") != sigma_range.flow:
            continue
        try:
            demo = load_demo(name)
        except FileNotFoundError:
            print(f"({name}: no weights; left out)")
            continue
        if (
            abs(demo.sigma_max / sigma_range.sigma_max - 1) > 0.01
            or abs(demo.sigma_min / sigma_range.sigma_min - 1) > 0.01
        ):
            continue
        noise = torch.randn(12, *demo.shape, generator=torch.Generator().manual_seed(1))
        weights = torch.full((noise[0].numel(),), 1.0 / noise[0].numel()).double()
        for cfg in (1.0, 3.0):
            extra = {"labels": torch.arange(12) % demo.classes, "cfg": cfg}
            cells.append(_cell("trained", demo.denoiser, noise, extra, weights, sigma_range))
    return cells


def _cell(
    group: str,
    model: Callable[..., Tensor],
    noise: Tensor,
    extra: dict[str, Any],
    weights: Tensor,
    sigma_range: SigmaRange,
) -> FallbackCase:
    grid = fine_sigmas(sigma_range)
    with torch.no_grad():
        end = own_sampler("heun")(model, noise.double() * grid[0].double(), grid.double(), extra_args=extra)
    return FallbackCase(group, model, noise, end, weights, extra)


def errors(schedule: Schedule, cells: list[FallbackCase]) -> Array:
    """(cells, samplers, step counts) log errors."""
    with torch.no_grad():
        return np.array([[[c.error(schedule(k), s) for k in STEPS] for s in SAMPLERS] for c in cells])


def group_means(ratios: Array, cells: list[FallbackCase]) -> dict[str, Array]:
    """Geometric mean ratio of every group: (samplers,)."""
    groups = dict.fromkeys(cell.group for cell in cells)
    return {group: np.exp(ratios[[cell.group == group for cell in cells]].mean(axis=(0, 2))) for group in groups}


def overall(ratios: Array, cells: list[FallbackCase]) -> float:
    """Geometric mean ratio over groups, each counted once."""
    return float(np.exp(np.mean([np.log(means).mean() for means in group_means(ratios, cells).values()])))


def leading(hosts: dict[str, Array], best: Array, cells: list[FallbackCase], count: int = 5) -> list[tuple[str, float]]:
    """Host schedules in the order in which they bring the best of the set nearest to the best of all."""
    chosen: list[tuple[str, float]] = []
    reached = np.full_like(best, np.inf)
    for _ in range(count):
        rest = [name for name in hosts if name not in dict(chosen)]
        name = min(rest, key=lambda n: overall(np.minimum(reached, hosts[n]) - best, cells))
        reached = np.minimum(reached, hosts[name])
        chosen.append((name, overall(reached - best, cells)))
    return chosen


def report(title: str, sigma_range: SigmaRange, *, trained: bool) -> None:
    cells = analytic_cells(sigma_range) + (trained_cells(sigma_range) if trained else [])
    hosts = {name: errors(schedule, cells) for name, schedule in host_schedules(sigma_range).items()}
    best = np.min(list(hosts.values()), axis=0)
    ours = partial(
        fallback_sigmas, sigma_min=sigma_range.sigma_min, sigma_max=sigma_range.sigma_max, flow=sigma_range.flow
    )
    table = hosts | {"FALLBACK": errors(ours, cells)}
    groups = list(group_means(best, cells))
    print(f"\n{title}: error over the best host schedule of each cell in hindsight, {' / '.join(SAMPLERS)}")
    print(f"{'':20s}{'all':>6s} {'worst':>6s} {'won':>5s}  " + " ".join(f"{group:>13s}" for group in groups))
    for name in sorted(table, key=lambda n: overall(table[n] - best, cells)):
        ratios = table[name] - best
        means = group_means(ratios, cells)
        columns = " ".join(f"{means[group][0]:6.2f}/{means[group][1]:6.2f}" for group in groups)
        won = float((ratios <= 1e-9).mean())
        print(f"{name:20s}{overall(ratios, cells):6.3f} {np.exp(ratios.max()):6.2f} {won:5.0%}  {columns}")
    print("leading: " + ", ".join(f"{name} {value:.3f}" for name, value in leading(hosts, best, cells)), flush=True)


def main(argv: Sequence[str]) -> int:
    """Print a table for every noise range; returns the exit status."""
    parser = study_parser("fallback", __doc__)
    parser.add_argument("--analytic", action="store_true", help="without the trained networks")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for title, sigma_range in RANGES.items():
        report(title, sigma_range, trained=not args.analytic)
    return 0
