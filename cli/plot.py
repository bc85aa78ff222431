"""`plot`: schedules as an SVG file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.hosting.whole_runs import preset_schedule
from ..schedules.plot.plot import schedule_plot
from ..schedules.plot.svg import to_svg
from ..schedules.presets.preset import Preset
from .files import check_target, write_file
from .named_schedules import FAMILY, find_preset, named_schedule, preset_label
from .subjects import demo_subject

# Stable Diffusion 1.5 and SDXL.
_DEFAULT_RANGE = SigmaRange(0.0291671582, 14.6146412293)
_DEFAULT_STEPS = 10


def run(args: argparse.Namespace) -> None:
    if args.out != "-":
        check_target(Path(args.out), ".svg", replace=True)
    presets = {text: preset for text in args.schedules if (preset := find_preset(text)) is not None}
    sigma_range = chosen_range(args, presets)
    curves = chosen_curves(args.schedules, presets, sigma_range, args.steps)
    plot = schedule_plot(
        curves,
        highlight=next(iter(curves)) if len(args.schedules) > 1 or len(curves) == 1 else None,
        flow=sigma_range.flow,
        sigma_max=sigma_range.sigma_max,
        measured=measured_curves(presets),
    )
    svg = to_svg(plot, args.width, args.height, dark=args.dark)
    for warning in plot["warnings"]:
        print(f"note: {warning}", file=sys.stderr)
    if args.out == "-":
        print(svg, end="")
        return
    write_file(Path(args.out), svg)
    print(f"Wrote {args.out}")


def chosen_range(args: argparse.Namespace, presets: Mapping[str, Preset]) -> SigmaRange:
    """The range given, that of --model, the first preset's, or Stable Diffusion's, whichever comes first."""
    given = args.sigma_min is not None, args.sigma_max is not None
    if any(given):
        if not all(given):
            raise ValueError("--sigma-min and --sigma-max belong together")
        if args.model is not None:
            raise ValueError("--model brings its own sigma range; leave out --sigma-min and --sigma-max")
        return SigmaRange(args.sigma_min, args.sigma_max, args.flow)
    if args.flow:
        raise ValueError("--flow also needs --sigma-min and --sigma-max")
    if args.model is not None:
        return demo_subject(args.model).sigma_range
    return next((preset.model.sigma_range for preset in presets.values()), _DEFAULT_RANGE)


def chosen_curves(
    texts: list[str], presets: Mapping[str, Preset], sigma_range: SigmaRange, steps: int | None
) -> dict[str, Tensor]:
    """name -> sigmas; a preset alone, without a step count, gives every schedule that it holds."""
    if len(texts) == 1 and steps is None and texts[0] in presets:
        return {_count_label(count): sigmas for count, sigmas in presets[texts[0]].schedules.items()}
    if steps is None:
        held = {count for preset in presets.values() for count in preset.schedules}
        steps = _DEFAULT_STEPS if not held or _DEFAULT_STEPS in held else min(held)
    curves: dict[str, Tensor] = {}
    for text in texts:
        if text in presets:
            curves[preset_label(text, presets[text])] = preset_schedule(presets[text])(steps)
        else:
            curves[text] = named_schedule(text, sigma_range)(steps)
    return curves


def measured_curves(presets: Mapping[str, Preset]) -> set[str]:
    """The names of curves that runs chose: those of presets that are no pasted lists, and the family's."""
    names = {FAMILY}
    for text, preset in presets.items():
        if not preset.exact:
            names |= {preset_label(text, preset), *(_count_label(count) for count in preset.schedules)}
    return names


def _count_label(count: int) -> str:
    return f"{count} steps"
