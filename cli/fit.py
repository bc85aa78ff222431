"""`fit`: a preset from a model."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

import torch
from torch import Tensor

from ..schedules.core.types import SamplerFunction
from ..schedules.core.words import duration, in_bytes
from ..schedules.fitting.budget import OutOfTimeError
from ..schedules.fitting.calibration import Calibration
from ..schedules.fitting.effort import effort_for
from ..schedules.fitting.journal import Records
from ..schedules.fitting.memory import FitSize
from ..schedules.fitting.settings import MAX_FREQUENCY_WEIGHT
from ..schedules.hosting.version import VERSION
from ..schedules.presets.file import save_preset
from ..schedules.presets.names import SUFFIX, check_name
from ..schedules.presets.preset import MAX_SCHEDULES, Preset
from ..schedules.samplers.fitted import NAME
from .files import check_target
from .progress import progress_bar
from .show import share_lines, sigma_lines
from .subjects import PlainSubject, demo_subject, named_sampler, own_subject

TOOL = f"sigmasmith {VERSION}"
# Of a fit that neither names a number nor lets it follow from --calls.
_NOISES = 16


def run(args: argparse.Namespace) -> None:
    out = None if args.out is None else Path(args.out)
    if out is not None:
        check_target(out, SUFFIX, replace=args.force)
        check_name(out.name.removesuffix(SUFFIX))
    if len(args.steps) > MAX_SCHEDULES:
        raise ValueError(f"--steps: a preset holds at most {MAX_SCHEDULES} step counts, got {len(args.steps)}")
    if args.noises is not None and args.noises < 3:
        raise ValueError(f"--noises must be at least 3 (two are held out), got {args.noises}")
    if not 0.0 < args.denoise <= 1.0:
        raise ValueError(f"--denoise must be above 0 and at most 1, got {args.denoise:g}")
    if args.method != "gauss_newton" and args.sampler == NAME:
        raise ValueError(f"--method {args.method} solves schedules alone, and {NAME} needs gauss_newton")
    if not 0.0 < args.frequency_weight <= MAX_FREQUENCY_WEIGHT:
        raise ValueError(
            f"--frequency-weight must be above 0 and at most {MAX_FREQUENCY_WEIGHT:g}, got {args.frequency_weight:g}"
        )
    if args.minutes is not None and not 0.0 < args.minutes < math.inf:
        raise ValueError(f"--minutes must be above 0 and finite, got {args.minutes:g}")
    if args.journal is not None and os.path.exists(args.journal) and not os.path.isdir(args.journal):
        raise ValueError(f"--journal must be a folder, got {args.journal}")
    subject = chosen_subject(args)
    name, sampler = named_sampler(args.sampler)
    effort = effort_for(args.effort, args.steps, coefficients=name == NAME, calls=args.calls)
    served = effort.rows if args.calls is not None else None
    noise = subject.noise(args.noises or served or _NOISES, args.seed)
    # Two calls per step: how often a sampler calls the model is not known before it runs.
    size = FitSize(
        noise.shape[1:],
        len(noise),
        args.steps,
        effort,
        calls_per_step=2,
        method=args.method,
        coefficients=name == NAME,
        splits=False,  # whether the model takes a part of its batch is seen only when it runs
    )
    print(f"The fit keeps at most {in_bytes(size.memory)} in memory.")
    # The model is known by its answers; its name and guidance only spare it the question.
    with Records(args.journal, f"{subject.name} {subject.guidance}") as records:
        calibration = _fitted(args, subject, noise, name, sampler, records)
        preset = preset_of(calibration, subject, args.seed, out.name.removesuffix(SUFFIX) if out else "")
        _say_result(args, preset, calibration, f"{name}, {subject.name}", out)
        records.clear()


def _fitted(
    args: argparse.Namespace,
    subject: PlainSubject,
    noise: Tensor,
    name: str,
    sampler: str | SamplerFunction,
    records: Records,
) -> Calibration:
    try:
        with progress_bar(f"Fitting {name} to {subject.name}") as bar:
            return subject.fit(
                noise,
                sampler,
                args.steps,
                effort=args.effort,
                calls=args.calls,
                progress=bar,
                minutes=args.minutes,
                denoise=args.denoise,
                method=args.method,
                journal=records,
                frequency_weight=args.frequency_weight,
            )
    except OutOfTimeError as error:
        raise ValueError(
            f"--minutes {args.minutes:g} did not suffice for the reference and one run of each step count"
        ) from error


def _say_result(
    args: argparse.Namespace, preset: Preset, calibration: Calibration, title: str, out: Path | None
) -> None:
    """Print the report, and write the preset where a file is named."""
    spent = (
        f"{calibration.calls} model calls in all, {calibration.nfe:.0f} evaluations per sample, in "
        f"{duration(calibration.seconds)}"
    )
    print(f"{title}: {spent}\n")
    print(calibration.report)
    print()
    if out is None:
        for line in sigma_lines(preset):
            print(line)
        print("Nothing was written; --out FILE keeps it, and so does the share code.")
        print("\n".join(share_lines(preset)))
        return
    try:
        save_preset(out, preset, overwrite=args.force)
    except ValueError:
        # The disk may be full after hours of work: the result must not go with it.
        print("\n".join(share_lines(preset)))
        raise
    print(f"Wrote {out}")


def chosen_subject(args: argparse.Namespace) -> PlainSubject:
    """The model that --model or --denoiser names."""
    if (args.model is None) == (args.denoiser is None):
        raise ValueError("give one of --model NAME (a bundled model) and --denoiser MODULE:ATTRIBUTE (your own)")
    if args.model is not None:
        for option, value in (
            ("--shape", args.shape),
            ("--sigma-min", args.sigma_min),
            ("--sigma-max", args.sigma_max),
        ):
            if value is not None:
                raise ValueError(f"{option} belongs to --denoiser; a bundled model brings its own")
        calm_threads(args.device)
        return demo_subject(args.model, args.cfg, args.device)
    return own_subject(
        args.denoiser,
        shape=args.shape,
        sigma_min=args.sigma_min,
        sigma_max=args.sigma_max,
        flow=args.flow,
        guidance=args.cfg,
        device=args.device,
    )


def calm_threads(device: str) -> None:
    """One thread for the bundled networks: they gain little from a second, and waiting for it can cost far more."""
    if device == "cpu":
        torch.set_num_threads(1)


def preset_of(calibration: Calibration, subject: PlainSubject, seed: int, name: str) -> Preset:
    """The preset of a fit made here."""
    return calibration.to_preset(
        subject.identity, guidance=subject.guidance, seeds=(seed,), dtype="float32", name=name, tool=TOOL
    )
