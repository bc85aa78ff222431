"""Student runs: the sampler function itself on a candidate schedule, from the batch's start state.

Two runs that share their first sigmas share their first model calls. A call is answered from an earlier run when that
run's call of the same number had the same sigma and the same state, so moving one sigma costs only the calls after it,
with any deterministic sampler and without knowing how it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ..core.finite import check_finite
from ..core.run import Run, take_rows
from ..core.types import SamplerFunction
from ..samplers.loop import sample_linear
from .budget import Budget
from .journal import Journal
from .sketch import Sketch


@dataclass
class Call:
    """One model call; runs that share it hold the same object.

    Attributes:
        sigma: noise level.
        state: (B, m) sketch of the state, which also identifies it.
        output: (B, m) sketch of the model output.
        denoised: (B, ...) the output itself, on the CPU; None in a forgotten run, and in one read from a journal until
            another run needs it.
    """

    sigma: float
    state: Tensor
    output: Tensor
    denoised: Tensor | None


@dataclass
class Rollout:
    """A finished run.

    Attributes:
        sigmas: (steps + 1,).
        end: end state of the rows asked for, in model space.
        calls: its model calls.
        forgotten: whether `forget` dropped the model outputs.
        handed: of two models, what the first handed over after its `first_calls` calls, as the host has it; or None.
        forgets: what `forget` does beside; or None.
    """

    sigmas: Tensor
    end: Tensor
    calls: list[Call]
    forgotten: bool = False
    handed: Tensor | None = None
    first_calls: int = 0
    forgets: Callable[[], None] | None = None

    @property
    def reusable(self) -> bool:
        """Whether its calls can answer those of another run; what a journal left out is asked for once more then."""
        return not self.forgotten

    def forget(self) -> None:
        """Drop the model outputs, the bulk of the memory: the run can be judged, but its calls not be reused."""
        self.calls = [replace(call, denoised=None) for call in self.calls]
        self.forgotten, self.handed = True, None
        if self.forgets is not None:
            self.forgets()


class RecordingModel:
    """The host's model object, with every call counted, checked, recorded, and answered from `reuse` where it can be.

    Samplers read attributes of the model (inner_model ...): those pass through.

    Args:
        model: the host's.
        budget, sketch: of the fit.
        base: an earlier run that may share its beginning, or None.
        recorded: number of call -> output, of this very run in an interrupted fit.
        on_call: called with (index, output) after every call that reached the model.
    """

    def __init__(
        self,
        model: Any,
        budget: Budget,
        sketch: Sketch,
        base: Rollout | None,
        recorded: Mapping[int, Tensor],
        on_call: Callable[[int, Tensor], None],
    ) -> None:
        self._model = model
        self._budget = budget
        self._sketch = sketch
        self._reuse = base.calls if base is not None else []
        self._lends = base is not None and base.reusable
        self._recorded = recorded
        self._on_call = on_call
        self._first_row = 0
        self.calls: list[Call] = []

    def go_on_with(self, model: Any, first_row: int) -> None:
        """Ask this model from here on; `first_row` is the number of its first row in the whole batch."""
        self._model, self._first_row = model, first_row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __call__(self, x: Tensor, sigma: Tensor, **extra_args: Any) -> Tensor:
        level, state, index = float(sigma.flatten()[0]), self._sketch(x), len(self.calls)
        known = self._reuse[index] if index < len(self._reuse) else None
        shared = known is not None and known.sigma == level and torch.equal(known.state, state)
        if known is not None and known.denoised is not None and shared:
            self.calls.append(known)
            return known.denoised.to(x.device)
        if not shared:
            self._reuse = []  # the runs have parted
        if index in self._recorded:
            denoised = self._recorded[index].to(x.device)
        else:
            self._budget.before_call()
            denoised = self._model(x, sigma, **extra_args)
            check_finite(denoised, level, index, self._first_row)
            self._on_call(index, denoised)
        # Shared with a run read from the journal, without its outputs: an uninterrupted fit had them.
        lost = known is not None and shared and self._lends
        self._budget.count(x.shape[0], planned=not lost)
        if known is not None and lost:
            known.denoised = denoised.detach().cpu()
            self.calls.append(known)
        else:
            self.calls.append(Call(level, state, self._sketch(denoised), denoised.detach().cpu()))
        return denoised


class LeavesBehind(Protocol):
    """A sampler function that leaves a tensor behind as it runs.

    Attributes:
        left: float32, once it has run.
    """

    left: Tensor

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
        """(B, ...) the state at sigmas[-1]."""
        ...


@dataclass
class Rollouts:
    """Runs one sampler on many schedules.

    Args:
        run: starts a sampler function at the batch's start state on given sigmas, in a host one `guider.sample`.
        sampler: the sampler function under fit, k-diffusion's signature.
        budget: counts every call.
        sketch: of states.
        journal: where runs are recorded, or None.
        reuse: False for samplers that read model state which a remembered output would leave stale (CFG++).
        coefficients: (steps, 1 + order) that the sampler runs, where it is given any.
        name: of the sampler; with these it tells its records from those of others.
        in_turn: whether two models take turns, so that a run may start the sampler twice.
    """

    run: Run
    sampler: SamplerFunction
    budget: Budget
    sketch: Sketch
    journal: Journal | None = None
    reuse: bool = True
    coefficients: Tensor | None = None
    name: str = ""
    in_turn: bool = False

    @property
    def has_tangents(self) -> bool:
        """Whether a run may be followed by more calls at its steps: of one model, that answers alike whenever asked."""
        return self.reuse and not self.in_turn

    def with_coefficients(self, coefficients: Tensor | None) -> Rollouts:
        """The same with coefficients, (steps, 1 + order), in place of the sampler; None: the same."""
        if coefficients is None:
            return self
        sampler = partial(sample_linear, coefficients=coefficients)
        return replace(self, sampler=sampler, coefficients=coefficients)

    def with_sampler(self, sampler: SamplerFunction) -> Rollouts:
        """The same for a sampler that leaves something behind as it runs, and so must run: nothing is recorded."""
        return replace(self, sampler=sampler, journal=None)

    def __call__(self, sigmas: Tensor, rows: slice, base: Rollout | None = None) -> Rollout:
        """Run the sampler; calls before the first difference from `base` are answered from it."""
        journal = self.journal
        parts = [self.name, sigmas, rows.start, rows.stop, *(() if self.coefficients is None else (self.coefficients,))]
        key = journal.key("run", *parts) if journal is not None else ""
        if journal is not None and (record := journal.read(key)) is not None:
            rollout = self._recalled(sigmas, record, base if self.reuse else None, journal.read_calls(key))
            rollout.forgets = partial(journal.drop_calls, key)
            return rollout
        before = self.budget.rows_planned
        rollout = self._run(sigmas, rows, base, key)
        if journal is not None:
            journal.write(key, _record(rollout, self.budget.rows_planned - before))
            if base is None:  # others may begin with it
                rollout.forgets = partial(journal.drop_calls, key)
            else:
                journal.drop_calls(key)
        return rollout

    def left_behind(
        self, sampler: LeavesBehind, sigmas: Tensor, rows: slice, base: Rollout, about: Sequence[object]
    ) -> Tensor:
        """The tensor that a sampler leaves behind as it runs, recorded as a run is.

        Args:
            base: a run that its first calls may be those of.
            about: what the result depends on beside name, sigmas and rows.
        """
        journal, before = self.journal, self.budget.rows_planned
        key = (
            journal.key("left behind", self.name, sigmas, rows.start, rows.stop, *about) if journal is not None else ""
        )
        if journal is not None and (record := journal.read(key)) is not None:
            self.budget.count(int(record["rows"]), recalled=True)
            return record["left"]
        replace(self, sampler=sampler)._run(sigmas, rows, base, key)
        if journal is not None:
            rows_planned = torch.tensor(self.budget.rows_planned - before)
            journal.write(key, {"left": sampler.left, "rows": rows_planned})
            journal.drop_calls(key)
        return sampler.left

    def again(self, rollout: Rollout, rows: slice) -> Rollout:
        """The same run once more, with its model outputs, for a forgotten one."""
        return self._run(rollout.sigmas, rows, None, "")

    def _run(self, sigmas: Tensor, rows: slice, base: Rollout | None, key: str) -> Rollout:
        run = _StudentRun(self, rows, base if self.reuse else None, key)
        self.run(run, sigmas.clone(), rows)  # some host samplers write into the list they are given
        return Rollout(
            sigmas.detach().cpu().float(), run.ends[-1], run.recording.calls, False, run.handed, run.first_calls
        )

    def _recalled(
        self, sigmas: Tensor, record: dict[str, Tensor], base: Rollout | None, outputs: dict[int, Tensor]
    ) -> Rollout:
        """A run from the journal; its evaluations count as they did, so that the fit decides as it did.

        The calls that it shared with `base` are those of `base` again, so that an output is asked for once at most.
        """
        self.budget.count(int(record["rows"]), recalled=True)
        calls = [
            Call(float(sigma), state, output, outputs.get(index))
            for index, (sigma, state, output) in enumerate(zip(record["levels"], record["states"], record["outputs"]))
        ]
        for index, known in enumerate(base.calls[: len(calls)] if base is not None and base.reusable else []):
            if known.sigma != calls[index].sigma or not torch.equal(known.state, calls[index].state):
                break
            calls[index] = known
        return Rollout(sigmas.detach().cpu().float(), record["end"], calls)


class _StudentRun:
    """One run as a sampler function that records its calls and answers those of `base` from there."""

    def __init__(self, rollouts: Rollouts, rows: slice, base: Rollout | None, key: str) -> None:
        self.sampler, self.rows, self.base = rollouts.sampler, rows, base
        self.handed: Tensor | None = None
        self.first_calls = 0
        self.ends: list[Tensor] = []
        journal = rollouts.journal if key else None
        recorded = journal.read_calls(key) if journal is not None else {}

        def on_call(index: int, denoised: Tensor) -> None:
            if journal is not None:
                journal.write_call(key, index, denoised)

        self.recording = RecordingModel(None, rollouts.budget, rollouts.sketch, base, recorded, on_call)

    def __call__(self, model: Any, x: Tensor, sigmas: Tensor, **kwargs: Any) -> Tensor:
        alone = x.shape[0] == self.rows.stop - self.rows.start
        self.recording.go_on_with(model, self.rows.start if alone else 0)
        end = self.sampler(self.recording, x, sigmas, **kwargs)
        self.ends.append(take_rows(end.detach(), self.rows))
        return end

    def known(self, sigmas: Tensor) -> Tensor | None:
        """The state that the first of two models handed over where `base` ran these sigmas; its calls then stand."""
        base = self.base
        if base is None or base.handed is None:
            return None
        if not torch.equal(base.sigmas[: len(sigmas)], sigmas.detach().cpu().float()):
            return None
        self.recording.calls.extend(base.calls[: base.first_calls])
        self.handed, self.first_calls = base.handed, base.first_calls
        return base.handed

    def keep(self, handed: Tensor) -> None:
        """Remember what the first of two models has handed over."""
        self.handed, self.first_calls = handed, len(self.recording.calls)


def _record(rollout: Rollout, rows: int) -> dict[str, Tensor]:
    return {
        "end": rollout.end,
        "levels": torch.tensor([call.sigma for call in rollout.calls], dtype=torch.float64),
        "states": torch.stack([call.state for call in rollout.calls]),
        "outputs": torch.stack([call.output for call in rollout.calls]),
        "rows": torch.tensor(rows),
    }
