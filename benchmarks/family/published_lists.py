"""Where lists that were published for real checkpoints lie on the family's scale: evidence for its typical scale.

    python -P -m sigmasmith.benchmarks.family.published_lists

AYS was made by another objective than the family; OptimalSteps is a search that runs here too, so its lists for
models of the zoo say how its scale relates to the family's own.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from ...schedules.core.noise_space import Array, SigmaRange
from ...schedules.family import learned
from ...schedules.family.learned import VERSION, Family, load_family
from ...schedules.family.placing import certainty, unplaced
from ...schedules.family.typical import typical_scale
from ...schedules.fitting.calibrate import solve_schedules
from ...schedules.fitting.direct import DirectRun
from ...schedules.fitting.settings import Sampling, Searching, samplers_by_name
from ...schedules.hosts.published import OSS_CHROMA, OSS_FLUX, OSS_WAN, WEBUI_AYS_SD1, WEBUI_AYS_SDXL
from ...schedules.hosts.schedules import host_schedules
from ..asked import average
from .judge import training_of
from .subjects import training_subject

_SD = SigmaRange(0.0291671582, 14.6146412293)
# Name -> (levels, range of the model that the list was made for). Wan's list was made at shift 8.
_PUBLISHED: Mapping[str, tuple[ArrayLike, SigmaRange]] = {
    "AYS, SD 1.5": (WEBUI_AYS_SD1, _SD),
    "AYS, SDXL": (WEBUI_AYS_SDXL, _SD),
    "OptimalSteps, FLUX.1-dev": (OSS_FLUX, SigmaRange(0.0003157227, 1.0, flow=True)),
    "OptimalSteps, Wan": (OSS_WAN, SigmaRange(0.008 / 1.007, 1.0, flow=True)),
    "OptimalSteps, Chroma": (OSS_CHROMA, SigmaRange(0.001, 1.0, flow=True)),
}
_SEARCHED = (
    "digits_flow@1",
    "glyphs_flow@1",
    "glyphs_flow@3",
    "lowercase16_flow@2",
    "photographs16_flow@1",
    "photographs32_eps@1/flow",
    "clipart16_eps@1/flow",
    "photographs_latent_flow@1",
)
_STEPS, _ROWS, _SEED = 10, 8, 777


def place_of(family: Family, levels: ArrayLike, sigma_range: SigmaRange) -> tuple[float, float]:
    """(scale, stretch) of the family that come nearest to a list's levels between its ends."""
    inner = np.asarray(levels, dtype=np.float64)[1:-1]
    values = unplaced(np.minimum(inner, sigma_range.sigma_max * (1.0 - 1e-9)), sigma_range)
    known = _levels(family, len(inner) + 1, flow=sigma_range.flow)
    weights = certainty(values, sigma_range)
    columns = np.stack([np.ones_like(known), known], axis=1) * weights[:, None]
    (log_scale, stretch), *_ = np.linalg.lstsq(columns, values * weights, rcond=None)
    return math.exp(log_scale), float(stretch)


def searched_ratio(family: Family, text: str, own_scale: float) -> float:
    """Scale of the list that OptimalSteps finds for a model of the zoo, over the family's own scale there."""
    which = training_of(text)
    subject = training_subject(which)
    limits, noise = subject.sigma_range, subject.noise(_ROWS, _SEED)
    run = DirectRun(
        subject.denoiser,
        noise * limits.sigma_max,
        subject.extra_args(_ROWS),
        limits.sigma_max,
        None,
        limits.flow,
    )
    fit = solve_schedules(
        run,
        noise,
        Sampling(limits, samplers_by_name("euler"), (_STEPS,), guidance=which.guidance),
        Searching(host_schedules(limits), "fast", method="oss"),
    )
    return place_of(family, fit.schedules[_STEPS].double().numpy(), limits)[0] / own_scale


def _own_scales() -> Mapping[str, float]:
    """Scale of each flow model that the family was learned over."""
    content = json.loads(Path(learned.__file__).with_name(f"family_{VERSION}.json").read_text(encoding="utf-8"))
    return {key: float(scale) for key, (scale, _) in content["models"]["flow"].items()}


def _levels(family: Family, steps: int, *, flow: bool) -> Array:
    """The family's levels; for longer lists than it has, those of its longest at the same share of the steps."""
    most = max(family.spaces["flow" if flow else "ve"])
    if steps <= most:
        return family.at(steps, flow=flow).levels
    known = family.at(most, flow=flow).levels
    return np.interp(np.arange(1, steps) / steps, np.arange(1, most) / most, known)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="*", default=list(_SEARCHED), help="of the zoo, searched by OptimalSteps")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    family = load_family()
    print("list: scale, stretch on the family; typical scale there")
    for name, (levels, sigma_range) in _PUBLISHED.items():
        scale, stretch = place_of(family, levels, sigma_range)
        print(f"{name:<26} {scale:6.2f} {stretch:5.2f}   {typical_scale(family, sigma_range)[0]:6.2f}")
    ratios: list[float] = []
    own_scales = _own_scales()
    for text in args.models:
        own = own_scales[training_of(text).key]
        ratios.append(searched_ratio(family, text, own))
        print(f"OptimalSteps on {text:<26} {ratios[-1]:5.2f} times the family's own scale of {own:.2f}", flush=True)
    if ratios:
        print(f"on average {average(ratios):.2f} times")


if __name__ == "__main__":
    main()
