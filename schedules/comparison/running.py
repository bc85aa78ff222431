"""The running of a comparison: one reference for all samplers without noise, one for each other, then every run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..core.counted import CountedModel
from ..core.finite import ModelError, check_finite
from ..core.metrics import mode_switches, sample_errors
from ..core.noise_space import SigmaRange
from ..core.run import StartSampler
from ..core.sigmas import finish_sigmas
from ..core.types import Progress, SamplerFunction
from ..core.words import Phrase
from ..fitting.budget import Budget
from ..fitting.effort import TOLERANCE
from ..fitting.sketch import Sketch
from ..fitting.teacher.reference import STOCHASTIC_TOLERANCE, agreement
from ..fitting.teacher.teacher import run_teacher
from ..fitting.teacher_levels import teacher_sigmas
from .comparison import SOLUTION, Cell, Target

REFERENCE = Phrase("reference")
# (sampler, schedule, steps) of a cell.
CellKey = tuple[str, str, int]


@dataclass(frozen=True)
class CellRun:
    """A cell to run.

    Args:
        sampler, schedule: labels.
        sigmas: (steps + 1,) that the sampler is given.
        function: k-diffusion's signature, for all rows of the comparison.
        noisy: whether it draws noise, from a fixed path of every row.
    """

    sampler: str
    schedule: str
    sigmas: Tensor
    function: SamplerFunction
    noisy: bool = False

    @property
    def steps(self) -> int:
        """Intervals of the sigma list."""
        return len(self.sigmas) - 1

    @property
    def target(self) -> str:
        """Name of the target of its errors."""
        return f"{self.sampler} itself on its noise path" if self.noisy else SOLUTION


@dataclass(frozen=True)
class CellsRun:
    """The outcome.

    Attributes:
        cells: in the order they ran.
        ends: (sampler, schedule, steps) -> (rows, ...) end states, float32 on the CPU; missing where a run failed.
        targets: name -> Target.
        target_ends: name -> (rows, ...) its end states.
    """

    cells: tuple[Cell, ...]
    ends: Mapping[CellKey, Tensor]
    targets: Mapping[str, Target]
    target_ends: Mapping[str, Tensor]


class CellRunner:
    """Runs the cells of a comparison.

    Args:
        run: the host's, from its own start states.
        cells: to run, in this order.
        rows: how many start states there are.
        sigma_range: of the model.
        levels: of the references, each of which also runs with half as many.
        progress: told (calls per row, of how many, `message`) after every model call.
        passes: whether an exception of a run ends the comparison, such as the person's Interrupt.
        kept: rows whose end states are kept; None for all.
    Attributes:
        message: what runs.
    """

    def __init__(
        self,
        run: StartSampler,
        cells: Sequence[CellRun],
        rows: int,
        sigma_range: SigmaRange,
        levels: int,
        *,
        progress: Progress,
        passes: Callable[[Exception], bool],
        kept: int | None = None,
    ) -> None:
        self.message: str = REFERENCE
        self._run, self._cells, self._rows = run, cells, slice(0, rows)
        self._range, self._levels = sigma_range, levels
        self._progress, self._passes, self._kept = progress, passes, kept
        self._rows_called = 0
        targets = len({cell.target for cell in cells})
        self._total = sum(cell.steps for cell in cells) + targets * (levels + levels // 2)

    def result(self) -> CellsRun:
        """The targets, then the cells in order."""
        targets: dict[str, Target] = {}
        aims: dict[str, Tensor] = {}
        self.message = REFERENCE
        for cell in self._cells:
            if cell.target not in targets:
                targets[cell.target], aims[cell.target] = self._target(cell)
        done: list[Cell] = []
        ends: dict[CellKey, Tensor] = {}
        for cell in self._cells:
            result, end = self._cell(cell, aims[cell.target])
            done.append(result)
            if end is not None:
                ends[cell.sampler, cell.schedule, cell.steps] = self._to_keep(end)
        return CellsRun(tuple(done), ends, targets, {name: self._to_keep(end) for name, end in aims.items()})

    def called(self, rows: int) -> None:
        """Book a model call of so many rows."""
        self._rows_called += rows
        done = round(self._rows_called / self._rows.stop)
        self._progress(done, max(done, self._total), self.message)

    def _to_keep(self, end: Tensor) -> Tensor:
        return end[: self._kept].clone()

    def _target(self, cell: CellRun) -> tuple[Target, Tensor]:
        """The end states that the cell's errors are measured from, and how far it can be trusted."""
        run = self._noisy_end if cell.noisy else self._solution
        coarse, fine = run(cell, self._levels // 2), run(cell, self._levels)
        error, converged = agreement(fine, coarse, STOCHASTIC_TOLERANCE if cell.noisy else TOLERANCE)
        return Target(self._levels, error, converged), fine

    def _solution(self, _: CellRun, levels: int) -> Tensor:
        budget = Budget(self._rows.stop, float(levels), progress=lambda *_: self.called(self._rows.stop))
        teacher = run_teacher(self._run, teacher_sigmas(levels, self._range), self._rows, Sketch(1, 1), budget)
        return teacher.end.float().cpu()

    def _noisy_end(self, cell: CellRun, levels: int) -> Tensor:
        sigmas = finish_sigmas(teacher_sigmas(levels, self._range))
        return run_sampler(self._run, cell.function, sigmas, self._rows, self.called)[0]

    def _cell(self, cell: CellRun, aim: Tensor) -> tuple[Cell, Tensor | None]:
        """One cell; a run that breaks down is a result, not the end of the comparison."""
        result = Cell(cell.sampler, cell.schedule, cell.steps, aim.new_zeros(0).double(), target=cell.target)
        self.message = Phrase(
            "{sampler} with {schedule}, {steps} steps",
            sampler=cell.sampler,
            schedule=cell.schedule,
            steps=cell.steps,
        )
        before, rows = self._rows_called, self._rows.stop
        try:
            end, seconds = run_sampler(self._run, cell.function, cell.sigmas, self._rows, self.called)
            if end.shape != aim.shape:
                raise ValueError(f"it returned the shape {tuple(end.shape)} for {tuple(aim.shape)}")
            check_finite(end, 0.0, cell.steps - 1)
        except MemoryError:
            raise
        except Exception as error:  # another extension's sampler may raise anything
            if self._passes(error):
                raise
            said = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            return replace(result, failed=said), None
        result = replace(
            result,
            errors=sample_errors(end, aim),
            calls=(self._rows_called - before) / rows,
            seconds=seconds / rows,
            switched=mode_switches(end, aim),
        )
        return result, end


def run_sampler(
    run: StartSampler, function: SamplerFunction, sigmas: Tensor, rows: slice, called: Callable[[int], None]
) -> tuple[Tensor, float]:
    """(end states (rows, ...) float32 on the CPU, seconds) of one run.

    Args:
        called: told the number of rows of every model call after it.
    """
    ends: list[Tensor] = []
    seconds = [0.0]

    def sample(model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
        start = time.perf_counter()
        end = function(CountedModel(model, after=called), x, sigmas, **kwargs)
        ends.append(end.detach().float().cpu())  # waits for the device
        seconds[0] = time.perf_counter() - start
        return end

    run(sample, sigmas.clone(), rows)
    return ends[-1], seconds[0]
