"""A comparison in words, as a table of text, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ..core.metrics import Ratio
from .comparison import Cell, Comparison, CostVerdict, error_interval

# Cells that a sentence spells out.
_NAMED = 4


def report_text(comparison: Comparison) -> str:
    """The table, what it says, and how far to trust it."""
    lines = [*table_lines(comparison), "", *sentences(comparison)]
    return "\n".join(lines)


def sorted_cells(comparison: Comparison) -> list[Cell]:
    """By step count, then by error; failed ones last in their step count."""
    return sorted(comparison.cells, key=lambda cell: (cell.steps, cell.error))


def table_lines(comparison: Comparison) -> Iterator[str]:
    """A monospaced table, one line per cell."""
    sampler = max(7, *(len(cell.sampler) for cell in comparison.cells))
    schedule = max(8, *(len(cell.schedule) for cell in comparison.cells))
    yield (
        f"{'steps':>5}  {'sampler':<{sampler}}  {'schedule':<{schedule}}  {'calls':>6}  {'s/sample':>8}  "
        f"{'error':>9}  {'95 % of means':>19}"
    )
    for cell in sorted_cells(comparison):
        start = f"{cell.steps:>5}  {cell.sampler:<{sampler}}  {cell.schedule:<{schedule}}  "
        if cell.failed:
            yield f"{start}failed: {cell.failed}"
            continue
        yield f"{start}{cell.calls:>6.4g}  {cell.seconds:>8.3g}  {cell.error:>9.5f}  {interval_text(cell):>19}"


def interval_text(cell: Cell) -> str:
    """Where the mean error of many seeds lies, by those that ran."""
    interval = error_interval(cell)
    return f"{interval.low:.5f}-{interval.high:.5f}" if interval.high < 1e4 else "unknown"


def sentences(comparison: Comparison) -> Iterator[str]:
    """Sentences on what the table shows."""
    count = len(comparison.seeds)
    for name, target in comparison.targets.items():
        if not target.converged:
            yield (
                f"Nothing is decided against {name}: it has not converged. With half of its {target.levels} levels it "
                f"ends {target.error:.5f} away. Raise reference_steps; on distilled models (Turbo, Lightning, LCM) no "
                "number of levels helps, and these errors say little."
            )
    yield from verdict_sentences(comparison)
    yield from (f"{cell.label} gave no result: {cell.failed}." for cell in comparison.cells if cell.failed)
    if elsewhere := [f"{cell.label} ({cell.switched} of {count})" for cell in comparison.cells if cell.switched]:
        yield f"Samples that ended in another image than the target's: {_listed(elsewhere, '; ')}."
    yield f"Error: RMSE of the end state from its target, geometric mean over {count} seeds."
    for name, target in comparison.targets.items():
        if target.converged:
            yield (
                f"Target of {_aimed_at(comparison, name)}: {name}, {target.levels} levels; with half of them it ends "
                f"{target.error:.5f} away."
            )
    yield from comparison.notes


def verdict_sentences(comparison: Comparison) -> Iterator[str]:
    """Sentences on what gains, what does not, and what is best at its cost."""
    count = len(comparison.seeds)
    for cell, rival, ratio, sure in comparison.gains():
        yield _gain_sentence(cell, rival, ratio, sure, count)
    for verdict in comparison.verdicts():
        yield _verdict_sentence(verdict, count)


def _aimed_at(comparison: Comparison, target: str) -> str:
    return ", ".join(dict.fromkeys(cell.sampler for cell in comparison.cells if cell.target == target)) or "no sampler"


def _gain_sentence(cell: Cell, rival: Cell, ratio: Ratio, sure: bool, seeds: int) -> str:
    where = f"{cell.sampler} at {cell.steps} step{'s' if cell.steps != 1 else ''}"
    if not sure:
        return (
            f"{where}: no gain shown. {cell.schedule} and {rival.schedule}, the best other, differ "
            f"{_times(max(ratio.mean, 1 / ratio.mean))}, less than {seeds} seeds can tell."
        )
    if ratio.mean < 1.0:
        return f"{where}: no gain. {rival.schedule} ends {_times(1 / ratio.mean)} closer than {cell.schedule}."
    return (
        f"{where}: {cell.schedule} ends {_times(ratio.mean)} closer than {rival.schedule}, the best other "
        f"(95 %: {_between(ratio)})."
    )


def _verdict_sentence(verdict: CostVerdict, seeds: int) -> str:
    start = f"Up to {verdict.calls:g} model call{'s' if verdict.calls != 1 else ''}:"
    if not verdict.equals:
        assert verdict.runner_up is not None
        assert verdict.margin is not None
        return (
            f"{start} {verdict.leader.label} is best, {_times(verdict.margin.mean)} closer than "
            f"{verdict.runner_up.label} (95 %: {_between(verdict.margin)})."
        )
    group = [cell.label for cell in (verdict.leader, *verdict.equals)]
    return f"{start} no winner; {seeds} seeds cannot tell these apart: {_listed(group, ', ')}."


def _listed(texts: list[str], sign: str) -> str:
    return sign.join(texts[:_NAMED]) + (f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else "")


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times" if ratio < 100 else f"{ratio:.0f} times"


def _between(ratio: Ratio) -> str:
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def csv_text(comparison: Comparison) -> str:
    """One line per cell, with the error of every seed."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = ["sampler", "schedule", "steps", "calls_per_sample", "seconds_per_sample", "error", "low", "high"]
    writer.writerow([*heads, "other_image", "failed", *(f"error_seed_{seed}" for seed in comparison.seeds)])
    for cell in sorted_cells(comparison):
        row: list[object] = [cell.sampler, cell.schedule, cell.steps, f"{cell.calls:g}", f"{cell.seconds:.6g}"]
        if cell.failed:
            row += ["", "", "", "", cell.failed, *("" for _ in comparison.seeds)]
        else:
            interval = error_interval(cell)
            row += [f"{value:.8g}" for value in (cell.error, interval.low, interval.high)]
            row += [cell.switched, "", *(f"{error:.8g}" for error in cell.errors.tolist())]
        writer.writerow(row)
    return out.getvalue()
