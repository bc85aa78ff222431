"""Writes the golden preset files of both format versions and their share codes, beside this script.

    .venv/bin/python -P tests/schedules/presets/golden/make_golden.py

The bytes are the format: a change of them breaks every file that people have shared. A new version gets new files;
those of earlier versions stay and are still read.
"""

from __future__ import annotations

from pathlib import Path

import torch
from sigmasmith.schedules.presets.file import to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
from sigmasmith.schedules.presets.made import HowMade
from sigmasmith.schedules.presets.preset import Preset
from sigmasmith.schedules.presets.share_code import to_share_code

HERE = Path(__file__).resolve().parent


def golden_presets() -> dict[str, Preset]:
    """File stem -> preset: every field set, and as few as possible."""
    full = Preset(
        schedules={
            2: torch.tensor([14.6146421, 1.25, 0.0]),
            10: torch.tensor([14.6146421, 6.47, 3.6, 2.31, 1.61, 1.14, 0.78, 0.49, 0.24, 0.0291675, 0.0]),
        },
        sampler="dpmpp_2m",
        model=ModelIdentity(
            family="SDXL",
            prediction="eps",
            sigma_min=0.0291675,
            sigma_max=14.6146421,
            flow=False,
            table_hash="0123456789abcdef" * 4,
            parameters=2_567_463_684,
            checkpoint="a model – v1.0 \U0001f642.safetensors",
            checkpoint_hash="31e35c80fc",
            patches="00ff00ff00ff00ff",
            loras=("detail.safetensors", "style.safetensors"),
        ),
        guidance=7.0,
        latent_shape=(4, 128, 128),
        dtype="float16",
        effort="balanced",
        seeds=(0, 1, 2**64 - 1),
        origin={2: "karras", 10: "fitted"},
        errors={2: {"fitted": 0.0625, "karras": 0.05}, 10: {"fitted": 0.001, "karras": 0.0045, "beta": 0.1}},
        coefficients={2: torch.tensor([[1.0, 0.0], [1.5, -0.5]])},
        name="SDXL/portrait",
        author="Ada",
        licence="CC0-1.0",
        notes='Two lines,\nwith a "quote", a \\ and a tab\t.',
        tool="sigmasmith 0.1.0",
    )
    least = Preset(
        schedules={1: torch.tensor([1.0, 0.0])},
        sampler="",
        model=ModelIdentity(sigma_min=0.001, sigma_max=1.0, flow=True, shift=1.15),
        exact=True,
    )
    two_models = Preset(
        schedules={4: torch.tensor([1.0, 0.96, 0.88, 0.64, 0.0])},
        sampler="deis",
        model=ModelIdentity(family="WAN21", prediction="flow", sigma_min=0.005, sigma_max=1.0, flow=True, shift=5.0),
        made=HowMade(
            chosen_among=("dpmpp_2m", "res_multistep", "ipndm", "deis"),
            boundary=0.875,
            models=("high \u2013 noise.safetensors", ""),
        ),
        name="two models",
    )
    later = Preset(
        schedules={5: torch.tensor([14.6146421, 3.1, 1.2, 0.45, 0.0291675, 0.0])},
        sampler="sigmasmith_multistep",
        model=ModelIdentity(sigma_min=0.0291675, sigma_max=14.6146421, flow=False),
        coefficients={5: torch.tensor([[0.5], [0.4], [0.3], [0.2], [0.1]])},
        made=HowMade(
            method="family",
            more={"version": 1, "scale": 1.75, "checked": True, "rows": [4, 8], "gain": {"5": [1.25, 2.5]}},
        ),
    )
    return {
        "preset_v1_full": full,
        "preset_v1_least": least,
        "preset_v2_two_models": two_models,
        "preset_v2_later_facts": later,
    }


if __name__ == "__main__":
    for stem, preset in golden_presets().items():
        (HERE / f"{stem}.safetensors").write_bytes(to_bytes(preset))
        (HERE / f"{stem}.txt").write_text(to_share_code(preset) + "\n", encoding="ascii", newline="\n")
