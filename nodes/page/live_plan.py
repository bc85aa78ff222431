"""The live curve of a search plan: further children over the share of noise, from the values on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...schedules.core.words import Phrase
from ...schedules.presets.preset import Preset
from ...schedules.search.widths import PRESET_TEXT, UNIFORM, WidthPlan, parse_widths, plan_of_preset
from ..graph import NodeValues

PLANS = ("SigmasmithSearchPlan", "SigmasmithSearchSampler")
_SHARES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)


def live_plan(node: NodeValues, preset: Preset | None) -> WidthPlan:
    """The plan that the node will give or run.

    Args:
        preset: at its preset input; None where there is none.
    Raises:
        ValueError: names the input.
    """
    if "plan" in node.linked:
        raise ValueError(Phrase("plan: it comes through a link; it is drawn at the node that gives it"))
    if node.text("plan").strip().lower() != PRESET_TEXT:
        return parse_widths(node.text("plan"))
    if preset is None:
        raise ValueError(Phrase("plan: it is that of the preset on the model, which is known when it runs"))
    return plan_of_preset(preset.made.more) or UNIFORM


def plan_answer(plan: WidthPlan) -> dict[str, Any]:
    """The drawing of a plan as the page takes it: the share of noise falls from left to right, as in a run."""
    corners = _corners(plan)
    high = max(number for _, number in corners)
    points = [[1.0 - share, None if number == 0.0 else number, number] for share, number in corners]
    texts = [f"{number:g}" for _, number in corners]
    said = [f"share of noise {share:g}: {_in_words(plan, number)}" for share, number in corners]
    ticks = [{"at": 1.0 - share, "text": f"{share:g}"} for share in _SHARES]
    levels = [{"at": high, "text": f"{high:g}"}, {"at": 0.5 * high, "text": f"{0.5 * high:g}"}]
    summary = Phrase(
        "Plan: {plan}. Further children of a step, relative to each other, over the share of noise.", plan=plan.text()
    )
    return {
        "plot": {
            "x": {"label": "share of noise", "low": 0.0, "high": 1.0, "ticks": ticks},
            "y": {"label": "further children", "low": 0.0, "high": 1.1 * high, "ticks": levels},
            "curves": [{"name": "this plan", "points": points, "texts": texts, "said": said}],
        },
        "cut": 0,
        "start": "1",
        "summary": summary,
        "warnings": [],
        "hint": "",
        "aria": f"Search plan: {'; '.join(said)}.",
    }


def _corners(plan: WidthPlan) -> list[tuple[float, float]]:
    """(share, number) where the steps of the drawing begin and end, shares falling from 1 to 0."""
    ends: Sequence[float] = [share for share, _ in plan.pieces[1:]] + [0.0]
    return [(at, number) for (share, number), end in zip(plan.pieces, ends) for at in (share, end)]


def _in_words(plan: WidthPlan, number: float) -> str:
    if number == 0.0:
        return "one child"
    return "as many children as elsewhere" if plan.is_uniform else f"further children {number:g}"
