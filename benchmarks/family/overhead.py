"""Times what the family costs beside the model: a step, a list, the size of its data.

python -P -m sigmasmith.benchmarks.family.overhead

One latent of 16 x 128 x 128, the hosts' `dpmpp_2m` (k-diffusion's) beside `sigmasmith_multistep` on the family's list,
with a model that costs next to nothing. On the CPU one thread and processor time. Of several runs of each, taken in
turn, the fastest counts: others only tell what else the machine did.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...schedules import family_schedule
from ...schedules.family import learned
from ...schedules.family.learned import VERSION

SHAPE, STEPS, SIGMA_MIN, SIGMA_MAX = (1, 16, 128, 128), 10, 0.0292, 14.6146


def step_times(device: str, repeats: int = 20) -> dict[str, float]:
    """Sampler -> milliseconds of a step beside the model's."""
    import k_diffusion.sampling as k

    schedule = family_schedule(STEPS, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, guidance=3.0)
    sigmas, x = schedule.sigmas.to(device), torch.randn(SHAPE, device=device) * SIGMA_MAX
    runs: dict[str, Callable[[], object]] = {
        "dpmpp_2m": lambda: k.sample_dpmpp_2m(_model, x, sigmas, disable=True),
        "sigmasmith_multistep": lambda: schedule.sampler_function()(_model, x, sigmas, disable=True),
    }
    clock = time.process_time if device == "cpu" else time.perf_counter
    fastest = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            _wait(device)
            start = clock()
            run()
            _wait(device)
            fastest[name] = min(fastest[name], 1e3 * (clock() - start) / STEPS)
    return fastest


def list_time(repeats: int = 200) -> float:
    """Milliseconds that the sigmas of a step count take, data file read."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        _ = family_schedule(STEPS, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX).sigmas
        times.append(1e3 * (time.perf_counter() - start))
    return min(times[1:])


def _model(x: Tensor, sigma: Tensor) -> Tensor:
    return x * 0.03


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    torch.set_num_threads(1)
    with torch.no_grad():
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            times = step_times(device)
            more = times["sigmasmith_multistep"] - times["dpmpp_2m"]
            print(*(f"{name} {ms:.3f} ms" for name, ms in times.items()), f"{more:+.3f} ms a step, {device}", sep=", ")
    size = Path(learned.__file__).with_name(f"family_{VERSION}.json").stat().st_size
    print(f"a list {list_time():.2f} ms; the data file {size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
