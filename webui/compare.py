"""The sampler behind the panel's Compare: schedules on the same start noises, against a converged reference."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..schedules.comparison.comparison import Comparison
from ..schedules.comparison.running import REFERENCE, CellRun, CellRunner, CellsRun
from ..schedules.comparison.text import report_text, sorted_cells
from ..schedules.core.noise_space import SigmaRange
from ..schedules.hosting.multistep import multistep_of
from ..schedules.samplers.brownian import BrownianPath, on_path
from .compare_inputs import COMPARE_SEED, REFERENCE_STEPS, CompareInputs
from .host.fit import fit_sampler, progress_bar
from .host.identity import exact_range, guidance_of, model_range
from .host.runs import HostRuns, InterruptedException
from .host.samplers import check_fittable, create_sampler, eta_of
from .infotext import COMPARED
from .log import say
from .registration import scheduler_name
from .samplers import MULTISTEP
from .schedulers import labelled
from .state import Generation


def sample_comparison(generation: Generation, request: CompareInputs, runs: HostRuns, p: Any) -> Tensor:
    """Run everything and say what it shows.

    Returns:
        (B, ...) end states to look at, all of the first start noise: the reference, then the runs by their error.
    Raises:
        ValueError: names the panel's input to change.
    """
    cells, own, notes = _cells(generation, request, runs, p)
    say(f"Comparing {len(cells)} runs on {request.seeds} start noises.")
    running = CellRunner(
        runs,
        cells,
        request.seeds,
        SigmaRange(float(runs.denoiser.inner_model.sigmas[0]), runs.sigma_max, runs.flow),
        REFERENCE_STEPS,
        progress=progress_bar(runs.timer, None, say, "The comparison"),
        passes=lambda error: isinstance(error, InterruptedException),
        kept=1,
    )
    result = running.result()
    seeds = tuple(range(COMPARE_SEED, COMPARE_SEED + request.seeds))
    comparison = Comparison(result.cells, seeds, result.targets, own, tuple(notes))
    generation.say(report_text(comparison))
    return _pictures(comparison, result, runs.start, p)


def _cells(
    generation: Generation, request: CompareInputs, runs: HostRuns, p: Any
) -> tuple[list[CellRun], frozenset[str], list[str]]:
    """The cells to run, checked before the first model call, which schedules are a preset's, and what to know."""
    cells: list[CellRun] = []
    own: set[str] = set()
    notes: dict[str, None] = {}
    for label in request.samplers:
        target = create_sampler(label, p)
        check_fittable(label, target)
        sampler = fit_sampler(target, eta_of(p))
        notes |= dict.fromkeys([sampler.note] if sampler.note else [])
        for steps in request.steps:
            for schedule in request.schedules:
                made = labelled(generation, schedule, steps, target, p)
                chosen = made.chosen
                function = sampler.function
                if label == MULTISTEP:
                    function = multistep_of(chosen.preset, exact_range(model_range(target)), guidance_of(p))
                elif sampler.stochastic:
                    rows = slice(0, request.seeds)
                    path = BrownianPath(tuple(runs.start.shape[1:]), runs.sigma_max, COMPARE_SEED, rows)
                    function = on_path(function, path)
                cells.append(CellRun(label, schedule, made.sigmas, function, sampler.stochastic))
                if chosen.preset is not None:
                    own.add(schedule)
                elif scheduler_name(schedule):
                    notes[f"{schedule}: {chosen.why}"] = None
                notes |= dict.fromkeys(f"{schedule}: {warning}" for warning in chosen.warnings)
    return cells, frozenset(own), list(notes)


def _pictures(comparison: Comparison, result: CellsRun, start: Tensor, p: Any) -> Tensor:
    """As many pictures as the batch has rows, each named in its infotext; the last repeats where there are fewer."""
    cells = [cell for cell in sorted_cells(comparison) if not cell.failed]
    shown = [(f"{REFERENCE}, {name}", end) for name, end in result.target_ends.items()]
    shown += [(cell.label, result.ends[cell.sampler, cell.schedule, cell.steps]) for cell in cells]
    shown = [shown[min(row, len(shown) - 1)] for row in range(start.shape[0])]
    p.extra_generation_params.pop("Schedule type", None)
    p.extra_generation_params[COMPARED] = [name for name, _ in shown]
    p.all_seeds[:], p.seeds[:] = [COMPARE_SEED] * len(p.all_seeds), [COMPARE_SEED] * len(p.seeds)
    p.sampler_name = comparison.cells[0].sampler
    return torch.cat([end for _, end in shown]).to(start)
