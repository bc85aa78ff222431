"""A schedule as the page draws it: plain numbers and finished sentences."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from ...schedules.core.words import Phrase
from ...schedules.hosts.schedules import host_schedules
from ...schedules.plot.plot import schedule_plot, schedule_warnings, sigma_text
from ...schedules.presets.preset import Preset
from .live_request import RunningModel

# Everybody knows these three: the hosts' first choice, the most used, and the one that was added last.
STOCK = ("simple", "karras", "beta")
MAX_OTHERS = 4  # faint curves that can still be told apart
MAX_STOCK_STEPS = 1_000  # beyond, curves of tables of 1000 entries say nothing


@dataclass(frozen=True)
class Drawn:
    """A node's schedule.

    Args:
        sigmas: the whole list; of it the first `cut` steps are left out by denoise.
        partial: whether denoise is below 1, so that it may start below sigma_max.
        sigma_range: of the model it is for; model: that model, where known.
        summary: one sentence. notes: warnings. hint: what to do to see more.
        others: further lists, drawn faintly. own: a stock name that this very curve is.
        preset: the preset it comes from.
        learned: whether it is the family's.
    """

    sigmas: Tensor
    sigma_range: SigmaRange
    summary: str
    cut: int = 0
    partial: bool = False
    model: RunningModel | None = None
    notes: Sequence[str] = ()
    hint: str = ""
    others: Mapping[str, Tensor] = field(default_factory=dict)
    own: str = ""
    preset: Preset | None = None
    learned: bool = False

    @property
    def run(self) -> Tensor:
        """The part that will run."""
        return self.sigmas[self.cut :].clone()


def answer(drawn: Drawn) -> dict[str, Any]:
    """The plot of a schedule, its stock curves and its words, as JSON can hold them."""
    ends, run = drawn.sigma_range, drawn.run
    main = "this schedule"
    curves = {main: drawn.sigmas, **drawn.others, **stock_curves(drawn)}
    plot: dict[str, Any] = {**schedule_plot(curves, highlight=main, flow=ends.flow)}
    for curve in plot["curves"]:
        curve["texts"] = [sigma_text(float(point[2] or 0.0)) for point in curve["points"]]
    first = plot["curves"][0]
    first["said"] = [
        _said(int(point[0] or 0), drawn.cut, len(run) - 1, text) for point, text in zip(first["points"], first["texts"])
    ]
    top = None if drawn.partial else ends.sigma_max
    measured = drawn.learned or (drawn.preset is not None and not drawn.preset.exact)
    plain = run.double().numpy()
    warnings = [*drawn.notes, *schedule_warnings(plain, flow=ends.flow, sigma_max=top, measured=measured)]
    aria = Phrase("Schedule curve: {summary}", summary=drawn.summary)
    for text in warnings:
        aria = Phrase("{before} {text}", before=aria, text=text)
    return {
        "plot": {"x": plot["x"], "y": plot["y"], "curves": plot["curves"]},
        "cut": drawn.cut,
        "start": sigma_text(float(run[0])),
        "summary": drawn.summary,
        "warnings": warnings,
        "hint": drawn.hint,
        "aria": aria,
    }


def stock_curves(drawn: Drawn) -> dict[str, Tensor]:
    """The hosts' own curves for the same noise levels and step count; those that cannot be made are left out."""
    steps = len(drawn.sigmas) - 1
    if steps > MAX_STOCK_STEPS:
        return {}
    table = drawn.model.table if drawn.model is not None and _same_range(drawn) else None
    lists: dict[str, Tensor] = {}
    try:
        made = host_schedules(drawn.sigma_range, table, webui=False)
    except ValueError:  # a table unlike any
        return {}
    for name in [name for name in STOCK if name != drawn.own][: MAX_OTHERS - len(drawn.others)]:
        with contextlib.suppress(ValueError):
            lists[name] = made[name](steps)
    return lists


def _same_range(drawn: Drawn) -> bool:
    assert drawn.model is not None
    known, ends = drawn.model.identity, drawn.sigma_range
    return (known.sigma_min, known.sigma_max, known.flow) == (ends.sigma_min, ends.sigma_max, ends.flow)


def _said(step: int, cut: int, steps: int, text: str) -> str:
    if step < cut:
        return Phrase("left out by denoise: sigma {sigma}", sigma=text)
    return Phrase("step {step} of {steps}: sigma {sigma}", step=step - cut, steps=steps, sigma=text)
