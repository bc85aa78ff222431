"""The main job on bundled models, without any host or download: python -m sigmasmith.demo (or: make demo)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cli.comparison import (
    COARSE_LEVELS,
    SIMPLE,
    ConvergedEnds,
    Table,
    compare,
    run_reference,
    steps_needed,
    summary_lines,
)
from ..cli.files import check_target, write_file
from ..cli.fit import calm_threads, preset_of
from ..cli.main import guarded
from ..cli.progress import progress_bar
from ..cli.subjects import PlainSubject, demo_subject
from ..cli.values import whole_numbers
from ..schedules.core.types import SamplerFunction, Schedule
from ..schedules.core.words import duration, in_words
from ..schedules.fitting.calibration import Calibration
from ..schedules.hosts.schedules import host_schedules
from ..schedules.plot.plot import schedule_plot
from ..schedules.plot.svg import to_svg
from ..schedules.presets.file import save_preset
from ..schedules.presets.share_code import to_share_code
from ..schedules.samplers.fitted import NAME, WITHOUT_COEFFICIENTS
from .picture import Row, sample_sheet

PROGRAM = "python -m sigmasmith.demo"
FITTED = "fitted"
# Flow and noise prediction, two data sets, both under guidance as people run them.
CASES = (("glyphs_flow", 3.0), ("digits_eps", 3.0))
SAMPLERS = ("sigmasmith_multistep", "dpmpp_2m")
# The search for the step count at which `simple` catches up with the fit ends here.
_MOST_STEPS = 40
_COLUMNS = 10


@dataclass
class _Demo:
    """One run: its options, the text that goes to the screen and into report.txt, and the place in the work."""

    args: argparse.Namespace
    text: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    part: int = 0

    @property
    def parts(self) -> int:
        return len(self.args.cases) * (1 + 2 * len(SAMPLERS))

    def say(self, line: str = "") -> None:
        self.text.append(line)
        print(line, flush=True)

    def label(self, what: str) -> str:
        self.part += 1
        return f"[{self.part}/{self.parts}] {what}"

    def path(self, name: str) -> Path:
        self.files.append(self.args.out / name)
        return self.files[-1]


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    return guarded(PROGRAM, lambda: _run(_Demo(args)))


def _run(demo: _Demo) -> None:
    args, started = demo.args, time.monotonic()
    for option, given, least in (("noises", args.noises, 2), ("calibration-noises", args.calibration_noises, 3)):
        if given < least:
            raise ValueError(f"--{option} must be at least {least}, got {given}")
    check_target(args.out / "report.txt", ".txt", replace=True)
    calm_threads("cpu")
    subjects = [demo_subject(name, cfg) for name, cfg in args.cases]
    demo.say("Sigmasmith fits a sigma schedule to a model, its guidance, its sampler and its step count.")
    demo.say(
        f"Here: tiny trained models, {args.noises} noises that no fit has seen, and every schedule the hosts ship."
    )
    demo.say(
        "All at equal cost. Error: geometric mean over the noises of the RMSE to a converged run; * is the lowest."
    )
    tables: list[Table] = []
    for subject in subjects:
        tables += _case(demo, subject)
    demo.say()
    for line in summary_lines(tables):
        demo.say(line)
    demo.say()
    report = demo.path("report.txt")
    demo.say(f"Done in {duration(time.monotonic() - started)}. Look at:")
    for path in demo.files:
        demo.say(f"  {path}")
    write_file(report, "\n".join(demo.text) + "\n")


def _case(demo: _Demo, subject: PlainSubject) -> Iterator[Table]:
    """Fit, compare and draw one model with every sampler."""
    with progress_bar(demo.label(f"{subject.name}: reference")) as bar:
        reference = run_reference(subject, demo.args.noises, demo.args.seed, bar)
    for sampler in SAMPLERS:
        calibration = _fit(demo, subject, sampler)
        schedules: dict[str, Schedule] = {FITTED: calibration.sigmas, **host_schedules(subject.sigma_range)}
        with progress_bar(demo.label(f"{sampler}, {subject.name}: {len(schedules)} schedules")) as bar:
            table = compare(
                subject,
                reference,
                _stock(sampler),
                schedules,
                demo.args.steps,
                title=f"{sampler}, {subject.name}, {demo.args.noises} noises",
                focus=FITTED,
                rivals="host",
                own={FITTED: calibration.sampler_function()},
                progress=bar,
            )
        demo.say()
        for line in (*table.lines(), *table.sentences()):
            demo.say(line)
        if sampler == SAMPLERS[0]:
            demo.say(reference.in_words)
            runs = calibration.sampler_function()
            demo.say(_takeaway(subject, reference, table, schedules))
            _draw(demo, subject, reference, runs, table, schedules)
        yield table


def _fit(demo: _Demo, subject: PlainSubject, sampler: str) -> Calibration:
    """Fit, and write the preset."""
    noise = subject.noise(demo.args.calibration_noises, demo.args.seed)
    with progress_bar(demo.label(f"Fitting {sampler} to {subject.name}")) as bar:
        calibration = subject.fit(noise, sampler, demo.args.steps, effort=demo.args.effort, progress=bar)
    name = f"{_file_name(subject)}_{sampler}"
    preset = preset_of(calibration, subject, demo.args.seed, name)
    save_preset(demo.path(f"{name}.safetensors"), preset, overwrite=True)
    demo.say()
    demo.say(
        f"{sampler}, {subject.name}: fitted in {duration(calibration.seconds)} on {len(noise)} noises, "
        f"{calibration.nfe:.0f} model evaluations per sample."
    )
    if sampler == SAMPLERS[0]:
        steps = demo.args.steps[0]
        demo.say(f"Share code of its {steps}-step schedule, ready for a host:\n  {to_share_code(preset, steps)}")
    return calibration


def _stock(sampler: str) -> str:
    """The host's sampler that host schedules are run with."""
    return WITHOUT_COEFFICIENTS if sampler == NAME else sampler


def _takeaway(subject: PlainSubject, reference: ConvergedEnds, table: Table, schedules: dict[str, Schedule]) -> str:
    """The gain as a person feels it: how many steps of `simple` reach what the fitted ones reach."""
    reached: list[str] = []
    counts = [steps for steps in table.steps if steps <= _MOST_STEPS // 4] or list(table.steps[:1])
    for steps in counts:
        error = table.errors[FITTED][steps]
        needed = steps_needed(subject, reference, _stock(SAMPLERS[0]), schedules[SIMPLE], error, _MOST_STEPS)
        reached.append(f"more than {_MOST_STEPS}" if needed is None else str(needed))
    fitted = in_words([str(count) for count in counts])
    return f"In short: {fitted} fitted steps end as near as {in_words(reached)} steps of {SIMPLE}."


def _draw(
    demo: _Demo,
    subject: PlainSubject,
    reference: ConvergedEnds,
    sampler: SamplerFunction,
    table: Table,
    schedules: dict[str, Schedule],
) -> None:
    """The curves as SVG and the samples as PNG."""
    name = _file_name(subject)
    steps = 10 if 10 in table.steps else table.steps[-1]
    shown = dict.fromkeys((FITTED, SIMPLE, table.best_rival(steps) or SIMPLE, "karras", "beta"))
    plot = schedule_plot(
        {key: schedules[key](steps) for key in shown},
        highlight=FITTED,
        flow=subject.sigma_range.flow,
        sigma_max=subject.sigma_range.sigma_max,
        title=f"{steps} steps of {SAMPLERS[0]}, {subject.name}",
    )
    write_file(demo.path(f"{name}_curves.svg"), to_svg(plot))
    write_file(demo.path(f"{name}_samples.png"), _samples(subject, reference, sampler, table, schedules))


def _samples(
    subject: PlainSubject,
    reference: ConvergedEnds,
    sampler: SamplerFunction,
    table: Table,
    schedules: dict[str, Schedule],
) -> bytes:
    steps = table.steps[0]
    count = min(_COLUMNS, len(reference.noise))

    teacher = reference.coarse[:count]

    def row(label: str, schedule: str) -> Row:
        runs = sampler if schedule == FITTED else _stock(SAMPLERS[0])
        end = reference.from_noise(subject, runs, schedules[schedule](steps), count)
        return Row(label, f"error {table.errors[schedule][steps]:.4f}", end, teacher)

    best = table.best_rival(steps) or SIMPLE
    label, shown = f"best host: {best}", best
    if table.errors[best][steps] > 0.99 * table.errors[SIMPLE][steps]:
        # `simple` leads, itself or under another name: the row would show it twice.
        others = [name for name in table.errors if table.errors[name][steps] > 1.01 * table.errors[SIMPLE][steps]]
        shown = min(others, key=lambda name: table.errors[name][steps], default=best)
        label = f"next host unlike it: {shown}"
    rows = [
        Row(f"reference, {COARSE_LEVELS} steps", "where all should end", teacher),
        row(SIMPLE if shown == best else f"{SIMPLE} (best host)", SIMPLE),
        row(label, shown),
        row(FITTED, FITTED),
    ]
    title = f"{steps} steps of {SAMPLERS[0]}: {subject.name}"
    remark = (
        f"The first {count} of {len(reference.noise)} noises that the fit never saw; errors are over all of them. "
        "Below each row: too bright (red), too dark (blue)."
    )
    return sample_sheet(title, remark, rows)


def _file_name(subject: PlainSubject) -> str:
    checkpoint = subject.identity.checkpoint or subject.name
    return checkpoint.removesuffix(".safetensors")


def _cases(text: str) -> tuple[tuple[str, float], ...]:
    """--cases: name:guidance, with commas between."""
    cases: list[tuple[str, float]] = []
    for part in text.split(","):
        name, _, cfg = part.partition(":")
        try:
            cases.append((name, float(cfg or 1.0)))
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be name:guidance with commas between, got {text!r}") from None
    return tuple(cases)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Fit schedules to bundled tiny models, compare them with every schedule the hosts ship on noises "
        "that the fit never saw, and write presets, a plot and a picture. Takes about two minutes.",
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="FOLDER", help="(default out/demo)")
    parser.add_argument(
        "--cases",
        type=_cases,
        default=CASES,
        metavar="NAME:G,...",
        help="bundled models and guidances (default " + ",".join(f"{name}:{cfg:g}" for name, cfg in CASES) + ")",
    )
    parser.add_argument("--steps", type=whole_numbers, default=(5, 8, 10, 20), help="(default 5,8,10,20)")
    parser.add_argument("--noises", type=int, default=64, metavar="N", help="to compare on (default 64)")
    parser.add_argument("--calibration-noises", type=int, default=16, metavar="N", help="to fit on (default 16)")
    parser.add_argument("--effort", default="balanced", choices=("fast", "balanced", "thorough"))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default 0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
