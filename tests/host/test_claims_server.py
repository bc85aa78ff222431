"""What a fit claims on a checkpoint in a real ComfyUI, beside what Compare measures there on seeds it never saw."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass

import pytest

from .answers import ok, text_of
from .graphs import node
from .pack_graphs import fit_graph
from .server import ComfyServer

pytestmark = [pytest.mark.host, pytest.mark.slow]

SAMPLER = "sigmasmith_multistep"
# (checkpoint, steps, cfg); the first is an SD 1.5, the other a rectified flow.
FITS = [
    ("tiny_sd15", 5, 5.0),
    ("tiny_sd15", 8, 5.0),
    ("tiny_sd15", 10, 3.0),
    ("tiny_sd15", 20, 5.0),
    ("tiny_sd15", 6, 7.5),
    ("tiny_sd3", 5, 5.0),
    ("tiny_sd3", 8, 5.0),
    ("tiny_sd3", 10, 3.0),
    ("tiny_sd3", 20, 5.0),
    ("tiny_sd3", 6, 1.0),
]


@dataclass
class Claim:
    host: str
    gain: float
    low: float
    high: float


def claim_in(report: str, steps: int) -> Claim | None:
    """The row of a step count; None where a host's schedule was returned."""
    row = re.search(
        rf"^ +{steps}  fitted +\S+ +(\S+) +\S+ +(?:no gain shown, )?([\d.]+)x .*?\(([\d.]+) to ([\d.]+)\)", report, re.M
    )
    return None if row is None else Claim(row[1], *(float(row[k]) for k in (2, 3, 4)))


def measured(
    server: ComfyServer, checkpoint: str, steps: int, cfg: float, preset: str, host: str
) -> tuple[float, float]:
    """(mean, standard error) over 24 new seeds of log(error of the host's schedule / error of the preset)."""
    graph = fit_graph(checkpoint)
    del graph["fit"]
    graph["preset"] = node("SigmasmithLoadPreset", preset=preset, share_code="")
    graph["compare"] = node(
        "SigmasmithCompare",
        model=["load", 0],
        positive=["positive", 0],
        negative=["negative", 0],
        latent=["latent", 0],
        cfg=cfg,
        schedules=host,
        samplers=SAMPLER,
        steps=str(steps),
        seeds=24,
        first_seed=70_000,
        reference_steps=150,
        filename_prefix=f"claims/{preset}",
        preset=["preset", 0],
    )
    ok(server.run(graph, timeout=600))
    (file,) = (server.base / "output" / "claims").glob(f"{preset}*.csv")
    errors = {}
    for row in csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))):
        seeds = [float(value) for name, value in row.items() if name.startswith("error_seed_")]
        errors["host" if row["schedule"] == host else "preset"] = seeds
    logs = [math.log(other / own) for other, own in zip(errors["host"], errors["preset"], strict=True)]
    mean = sum(logs) / len(logs)
    return mean, (sum((x - mean) ** 2 for x in logs) / (len(logs) - 1) / len(logs)) ** 0.5


def test_nine_of_ten_claims_hold_what_compare_measures_on_new_seeds(server):
    held, lines = 0, []
    for number, (checkpoint, steps, cfg) in enumerate(FITS):
        name = f"claim{number}"
        graph = fit_graph(
            checkpoint, name=name, steps=str(steps), cfg=cfg, sampler_name=SAMPLER, calibration_seed=number
        )
        claim = claim_in(report := text_of(ok(server.run(graph, timeout=600)), "fit"), steps)
        if claim is None:
            assert not re.search(rf"^ +{steps}  fitted", report, re.M), f"a claim that was not read:\n{report}"
            lines.append(f"{checkpoint:<10}{steps:>3} steps, cfg {cfg:g}: a host's schedule returned\n{report}")
            print(lines[-1], flush=True)
            held += 1  # nothing is claimed
            continue
        mean, error = measured(server, checkpoint, steps, cfg, name, claim.host)
        low, high = (mean + side * 1.645 * error for side in (-1, 1))
        agrees = low <= math.log(claim.high) and math.log(claim.low) <= high
        held += agrees
        lines.append(
            f"{checkpoint:<10}{steps:>3} steps, cfg {cfg:g}: claimed {claim.gain:.2f} ({claim.low:.2f} to "
            f"{claim.high:.2f}), measured {math.exp(mean):.2f} ({math.exp(low):.2f} to {math.exp(high):.2f}) "
            f"of {claim.host}{'' if agrees else '  NOT'}"
        )
        print(lines[-1], flush=True)  # of the hour that this takes, what was measured so far
    assert held >= 9, "\n".join(lines)
