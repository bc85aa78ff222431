"""`compare`: errors of schedules at equal cost."""

from __future__ import annotations

import argparse
import sys
from itertools import product

from ..schedules.core.types import SamplerFunction, Schedule
from ..schedules.core.words import duration
from ..schedules.fitting.calibration import Calibration
from ..schedules.hosting.multistep import multistep_of
from ..schedules.hosting.whole_runs import preset_schedule
from ..schedules.hosts.schedules import host_schedules
from ..schedules.presets.preset import FITTED, Preset
from ..schedules.samplers.fitted import NAME, WITHOUT_COEFFICIENTS
from .comparison import Table, compare, run_reference, summary_lines
from .fit import calm_threads
from .named_schedules import FAMILY, find_preset, named_schedule, preset_label
from .progress import progress_bar
from .subjects import PlainSubject, check_seed, demo_subject, named_sampler


def run(args: argparse.Namespace) -> None:
    check_seed(args.seed)
    if args.noises < 2:
        raise ValueError(f"--noises must be at least 2, got {args.noises}")
    if args.calibration_noises < 3:
        raise ValueError(f"--calibration-noises must be at least 3, got {args.calibration_noises}")
    sampler = named_sampler(args.sampler)
    presets = {text: preset for text in args.schedules if (preset := find_preset(text)) is not None}
    calm_threads(args.device)
    subjects = [demo_subject(name, cfg, args.device) for name, cfg in product(args.model, args.cfg)]
    for subject in subjects:  # a mistyped name must show before minutes of work
        for text in args.schedules:
            if text not in presets and text != FITTED:
                named_schedule(text, subject.sigma_range)
    tables = [_case(subject, sampler, presets, args) for subject in subjects]
    if len(tables) > 1:
        for line in summary_lines(tables):
            print(line)


def _case(
    subject: PlainSubject,
    sampler: tuple[str, str | SamplerFunction],
    presets: dict[str, Preset],
    args: argparse.Namespace,
) -> Table:
    schedules, own = _chosen(subject, sampler, presets, args)
    fits_coefficients = sampler[1] == NAME
    with progress_bar(f"{subject.name}: reference") as bar:
        reference = run_reference(subject, args.noises, args.seed, bar)
    with progress_bar(f"{subject.name}: {len(schedules)} schedules") as bar:
        table = compare(
            subject,
            reference,
            WITHOUT_COEFFICIENTS if fits_coefficients else sampler[1],
            schedules,
            args.steps,
            title=f"{sampler[0]}, {subject.name}, {args.noises} noises",
            focus=next(iter(schedules)),
            own=own if fits_coefficients else None,
            progress=bar,
        )
    for line in (*table.lines(), *table.sentences()):
        print(line)
    print(f"{reference.in_words}\n")
    return table


def _chosen(
    subject: PlainSubject,
    sampler: tuple[str, str | SamplerFunction],
    presets: dict[str, Preset],
    args: argparse.Namespace,
) -> tuple[dict[str, Schedule], dict[str, SamplerFunction]]:
    """The schedules to compare by name, and the samplers with coefficients of those that have some."""
    schedules: dict[str, Schedule] = {}
    own: dict[str, SamplerFunction] = {}
    texts = args.schedules or [FITTED]
    for text in texts:
        if text in presets:
            preset = presets[text]
            schedules[preset_label(text, preset)] = preset_schedule(preset)
            own[preset_label(text, preset)] = multistep_of(preset, subject.sigma_range, subject.guidance)
            for sentence in preset.differences(
                subject.identity,
                sampler=sampler[0],
                guidance=subject.guidance,
                latent_shape=subject.shape,
                start_sigma=subject.sigma_range.sigma_max,
            ):
                print(f"warning: {preset_label(text, preset)}: {sentence}", file=sys.stderr)
        elif text == FITTED:
            calibration = _fitted(subject, sampler, args)
            schedules[FITTED] = calibration.sigmas
            own[FITTED] = calibration.sampler_function()
        else:
            schedules[text] = named_schedule(text, subject.sigma_range)
            if text == FAMILY:
                own[text] = multistep_of(None, subject.sigma_range, subject.guidance)
    if all(text in presets or text in (FITTED, FAMILY) for text in texts):
        schedules |= host_schedules(subject.sigma_range)
    return schedules, own


def _fitted(subject: PlainSubject, sampler: tuple[str, str | SamplerFunction], args: argparse.Namespace) -> Calibration:
    with progress_bar(f"Fitting {sampler[0]} to {subject.name}") as bar:
        noise = subject.noise(args.calibration_noises, args.seed)
        calibration = subject.fit(noise, sampler[1], args.steps, effort=args.effort, progress=bar)
    print(
        f"Fitted at effort {args.effort} in {duration(calibration.seconds)}: {calibration.nfe:.0f} model evaluations "
        f"per sample, {calibration.nfe / len(args.steps):.0f} per step count."
    )
    return calibration
