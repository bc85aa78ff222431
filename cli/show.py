"""`show`: what a preset holds."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

from torch import Tensor

from ..schedules.core.sigmas import steps_before_truncation
from ..schedules.core.words import plain_list
from ..schedules.fitting.claims import told_gain
from ..schedules.hosting.whole_runs import preset_run
from ..schedules.plot.plot import sigma_text
from ..schedules.presets.checks import PresetError
from ..schedules.presets.preset import FITTED, Preset
from ..schedules.presets.share_code import to_share_code
from .named_schedules import find_preset, preset_label

_BAR = 44


def run(args: argparse.Namespace) -> None:
    preset = find_preset(args.preset)
    if preset is None:
        raise ValueError(f"PRESET must be a .safetensors file or a share code, got {args.preset!r}")
    lines = [preset_label(args.preset, preset), *("  " + line for line in about_lines(preset)), ""]
    if preset.errors:
        lines += [*("  " + line for line in error_lines(preset)), ""]
    if args.steps is None and args.denoise == 1.0:
        lines += [*sigma_lines(preset), *share_lines(preset)]
    else:
        steps = max(map(preset.running, preset.schedules)) if args.steps is None else args.steps
        sigmas, said = preset_run(preset, steps, args.denoise, args.mode)
        lines += list_lines(_title(preset, steps, args.denoise, said), sigmas)
        if args.denoise == preset.denoise and preset.is_fitted(steps, args.denoise):
            lines += share_lines(preset, steps_before_truncation(steps, args.denoise))
    print("\n".join(lines))


def share_lines(preset: Preset, steps: int | None = None) -> list[str]:
    """The share code of all schedules, or of one; in words where thousands of steps make it too long."""
    what = "Share code:" if steps is None else "Share code of this schedule:"
    try:
        return [what, to_share_code(preset, steps)]
    except PresetError as error:
        return [f"No share code: {error}."]


def about_lines(preset: Preset) -> Iterator[str]:
    """One line per fact about a preset: what it was fitted for; what is not known is left out."""
    model = preset.model
    kind = "flow" if model.flow else (model.prediction or "noise")
    facts = {
        "model": ", ".join(filter(None, (model.family, model.checkpoint, f"{kind} prediction"))),
        "sigma range": f"{model.sigma_min:.6g} to {model.sigma_max:.6g}"
        + ("" if model.shift is None else f", shift {model.shift:g}"),
        "LoRA": ", ".join(model.loras),
        "sampler": preset.sampler,
        "guidance": "" if preset.guidance is None else f"{preset.guidance:g}",
        "latent": "x".join(map(str, preset.latent_shape or ())),
        "effort": preset.effort or "",
        "fitted for": preset.counts_in_words + (" (exact, never interpolated)" if preset.exact else ""),
        "author": preset.author,
        "licence": preset.licence,
        "notes": preset.made.beside(preset.notes).replace("\n", "\n" + " " * 16),
        "made with": preset.tool,
        "hash": preset.short_hash,
    }
    for name, text in facts.items():
        if text:
            yield f"{name:<13} {text}"


def error_lines(preset: Preset) -> Iterator[str]:
    """Errors that the fit measured on its held-out noises: what it returned against the best host schedule."""
    yield f"{'steps':>5}  {'returned':<20} {'error':>9}   {'best host schedule':<20} {'error':>9}"
    for steps, errors in sorted(preset.errors.items()):
        chosen = preset.origin.get(steps, FITTED)
        hosts = {name: error for name, error in errors.items() if name != FITTED}
        best = min(hosts, key=lambda name: hosts[name]) if hosts else None
        rival = f"{best:<20} {hosts[best]:>9.5f}" if best is not None else "none compared"
        told = told_gain(preset, steps)
        said = f"   {told}" if told else ""
        yield f"{preset.running(steps):>5}  {chosen:<20} {errors.get(chosen, math.nan):>9.5f}   {rival}{said}"


def sigma_lines(preset: Preset) -> Iterator[str]:
    """Every schedule that a preset holds, the part of it that was fitted."""
    for full in preset.schedules:
        steps = preset.running(full)
        yield from list_lines(_title(preset, steps, preset.denoise), preset.sigmas(steps, preset.denoise))
        yield ""


def list_lines(title: str, sigmas: Tensor) -> Iterator[str]:
    """A schedule as bars over log sigma, and as the plain numbers that a host's manual list takes."""
    yield title
    levels = [float(sigma) for sigma in sigmas]
    if len(levels) <= 64:
        logs = [math.log(level) for level in levels if level > 0]
        span = max(logs[0] - logs[-1], 1e-9)
        for step, level in enumerate(levels):
            share = (math.log(level) - logs[-1]) / span if level > 0 else None
            bar = "" if share is None else "#" * (1 + round((_BAR - 1) * share))
            yield f"  {step:>4}  {sigma_text(level):>9}  {bar}".rstrip()
    yield "  " + plain_list(levels)


def _title(preset: Preset, steps: int, denoise: float, said: str = "") -> str:
    count = "1 step" if steps == 1 else f"{steps} steps"
    if denoise < 1.0:
        count += f" at denoise {denoise:g}"
    if said or denoise != preset.denoise:
        return f"{count}, {said}:" if said else f"{count}:"
    if not preset.is_fitted(steps, denoise):
        return f"{count}, interpolated:"
    match preset.origin.get(steps_before_truncation(steps, denoise)):
        case None:  # a share code does not say
            return f"{count}:"
        case "fitted":
            return f"{count}, fitted:"
        case host:
            return f"{count}, the host's {host}, which was better than the fit:"
