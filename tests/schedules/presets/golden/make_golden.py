"""Writes the golden preset files and share codes of format version 1, beside this script.

    .venv/bin/python -P tests/schedules/presets/golden/make_golden.py

The bytes are the format: a change of them breaks every file that people have shared. A new version gets new files;
those of version 1 stay and are still read.
"""

from __future__ import annotations

from pathlib import Path

import torch
from sigmasmith.schedules.presets.file import to_bytes
from sigmasmith.schedules.presets.identity import ModelIdentity
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
        solver={2: torch.tensor([[1.0, 0.0], [1.5, -0.5]])},
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
    return {"preset_v1_full": full, "preset_v1_least": least}


if __name__ == "__main__":
    for stem, preset in golden_presets().items():
        (HERE / f"{stem}.safetensors").write_bytes(to_bytes(preset))
        (HERE / f"{stem}.txt").write_text(to_share_code(preset) + "\n", encoding="ascii", newline="\n")
