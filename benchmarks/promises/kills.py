"""Killed fits go on to the result that they would have come to; on another model they never do.

    python -P -m sigmasmith.benchmarks.promises.kills --kills 200 --pairs 100

Every fit runs in a process of its own, which is killed (signal 9) at a random moment, and is then started again: on the
same model, or in every other case on a changed one, where it must end, call for call, as a fit that found no records.
Pairs are two fits that run in one folder at the same time. Linux and macOS: the processes are forked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...schedules.fitting import journal
from ...schedules.fitting.calibrate import calibrate
from ..analytic import power_law, random_mixture

_DIM, _ROWS = 12, 5
# How far a model is changed: the guidance that the mixture runs under.
_GUIDANCE, _CHANGED = 1.5, 1.6


@dataclass(frozen=True)
class KilledFit:
    """A kind of fit."""

    name: str
    flow: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    two_models: bool = False


CASES = (
    KilledFit("two step counts", settings={"steps": (3, 4)}),
    KilledFit("a flow model", flow=True, settings={"sampler": "euler", "steps": 3}),
    KilledFit("two calls a step", settings={"sampler": "heun", "steps": 3}),
    KilledFit("changed images", settings={"denoise": 0.5, "steps": 3}),
    KilledFit("two models", flow=True, settings={"boundary": 0.6, "steps": 4}, two_models=True),
    KilledFit("a choice of samplers", settings={"sampler": ["euler", "dpmpp_2m"], "steps": 3}),
    KilledFit("the published search", settings={"method": "oss", "steps": 3}),
)


@dataclass(frozen=True)
class Result:
    """The result of a fit: its schedules and held-out errors, the rows that its model was asked for, its seconds."""

    schedules: dict[str, list[float]]
    errors: dict[str, dict[str, float]]
    rows: int
    seconds: float

    def ends_as(self, other: Result) -> bool:
        """Whether both came to the same."""
        return (self.schedules, self.errors) == (other.schedules, other.errors)


def fit(case: KilledFit, guidance: float, folder: Path | None) -> Result:
    """One fit, every model call of it recorded."""
    rows, labels, began = [0], torch.arange(_ROWS) % 3, time.monotonic()

    def model(shift: float) -> Callable[..., Tensor]:
        mixture = random_mixture(3, power_law(_DIM, 1.2), modes=6, classes=3, flow=case.flow, cfg=guidance + shift)

        def denoiser(x: Tensor, sigma: Tensor, labels: Tensor) -> Tensor:
            rows[0] += len(x)
            return mixture(x, sigma, labels=labels)

        return denoiser

    noise = torch.randn(_ROWS, _DIM, generator=torch.Generator().manual_seed(0))
    ends = (0.003, 1.0) if case.flow else (0.0292, 14.6146)
    second = {"low_denoiser": model(0.5)} if case.two_models else {}
    done = calibrate(
        model(0.0),
        noise,
        sigma_min=ends[0],
        sigma_max=ends[1],
        flow=case.flow,
        extra_args={"labels": labels},
        effort="fast",
        journal=folder,
        **(case.settings | second),
    )
    schedules = {str(steps): sigmas.tolist() for steps, sigmas in done.schedules.items()}
    errors = {str(steps): dict(row.errors) for steps, row in done.report.rows.items()}
    return Result(schedules, errors, rows[0], time.monotonic() - began)


class Fit:
    """A fit in a process of its own."""

    def __init__(self, case: KilledFit, guidance: float, folder: Path | None, answer: Path) -> None:
        self._answer = answer
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                journal._SLOW_CALL_SECONDS = 0.0
                answer.write_text(json.dumps(vars(fit(case, guidance, folder))), encoding="utf-8")
                status = 0
            finally:
                os._exit(status)

    def kill(self, after: float) -> bool:
        """Whether it was still running after so many seconds, and is killed."""
        deadline = time.monotonic() + after
        while time.monotonic() < deadline:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return False
            time.sleep(0.001)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return True

    def result(self) -> Result | None:
        """Its result, once it is done; None where it failed."""
        status = os.waitpid(self.pid, 0)[1]
        return None if status else Result(**json.loads(self._answer.read_text(encoding="utf-8")))


def fresh(case: KilledFit, guidance: float, scratch: Path, *, recorded: bool = True) -> Result:
    """A fit that finds no records."""
    result = Fit(case, guidance, scratch / "fresh" if recorded else None, scratch / "fresh.json").result()
    assert result is not None, f"{case.name} fails"
    return result


def killed(case: KilledFit, kills: int, scratch: Path, draw: random.Random) -> list[str]:
    """Faults in so many kills of one kind of fit, in sentences; every other one with a changed model."""
    clean = {guidance: fresh(case, guidance, scratch) for guidance in (_GUIDANCE, _CHANGED)}
    wrong = []
    if not clean[_GUIDANCE].ends_as(fresh(case, _GUIDANCE, scratch, recorded=False)):
        wrong.append(f"{case.name}: records change the result")
    saved = []
    for number in range(kills):
        folder, changed = scratch / f"{case.name} {number}", number % 2 == 1
        began = Fit(case, _GUIDANCE, folder, scratch / "killed.json")
        if not began.kill(draw.uniform(0.0, clean[_GUIDANCE].seconds)):
            folder.mkdir(exist_ok=True)  # it was quicker than its kill; the second fit then finds nothing
        guidance = _CHANGED if changed else _GUIDANCE
        result = Fit(case, guidance, folder, scratch / "resumed.json").result()
        if result is None or not result.ends_as(clean[guidance]):
            wrong.append(f"{case.name}, kill {number}{' (model changed)' if changed else ''}: another result")
        elif changed and result.rows != clean[guidance].rows:
            wrong.append(f"{case.name}, kill {number} (model changed): went on with another model's records")
        elif not changed:
            saved.append(1.0 - result.rows / clean[guidance].rows)
    mean = sum(saved) / max(len(saved), 1)
    print(f"{case.name}: {kills} kills, {len(wrong)} wrong; resumed fits asked {mean:.0%} fewer rows", flush=True)
    return wrong


def paired(case: KilledFit, pairs: int, scratch: Path) -> list[str]:
    """Faults in pairs of equal fits that ran in one folder at once."""
    clean, wrong = fresh(case, _GUIDANCE, scratch), []
    for number in range(pairs):
        folder = scratch / f"pair {case.name} {number}"
        both = [Fit(case, _GUIDANCE, folder, scratch / f"{side}.json") for side in ("left", "right")]
        results = [one.result() for one in both]
        if not all(result is not None and result.ends_as(clean) for result in results):
            wrong.append(f"{case.name}, pair {number}: lost one or ended otherwise")
        if folder.exists():
            wrong.append(f"{case.name}, pair {number}: left records behind")
    print(f"{case.name}: {pairs} pairs, {len(wrong)} wrong", flush=True)
    return wrong


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="in all, over the kinds of fits (default 200)")
    parser.add_argument("--pairs", type=int, default=100, help="in all (default 100)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    draw, wrong = random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        for number, case in enumerate(CASES):
            share = [(total + number) // len(CASES) for total in (args.kills, args.pairs)]
            wrong += killed(case, share[0], Path(scratch), draw)
            wrong += paired(case, share[1], Path(scratch))
    print("\n".join(wrong) or f"{args.kills} kills and {args.pairs} pairs: none wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
