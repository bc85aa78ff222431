"""`find`: the preset of a folder that suits a model and a run best, as the hosts choose it."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from dataclasses import replace

from ..schedules.hosting.preset_store import PresetStore
from ..schedules.presets.identity import ModelIdentity, bare_name
from ..schedules.presets.matching import best_match
from ..schedules.presets.preset import Preset
from .files import existing_folders
from .named_schedules import find_preset
from .show import about_lines


def run(args: argparse.Namespace) -> None:
    folders = existing_folders(args.folders)
    presets = PresetStore(folders).presets()
    model = _model(args, presets)
    match = best_match(
        presets,
        model,
        sampler=args.sampler,
        guidance=args.cfg,
        latent_shape=args.latent,
        steps=args.steps,
        denoise=args.denoise,
    )
    if match is None:
        raise ValueError(f"none of the {len(presets)} presets can be used for this model and run")
    print(f"{match.name}: {match.reason}, the best of {len(presets)} presets")
    for line in about_lines(match.preset):
        print(f"  {line}")
    for said in match.preset.differences(model, args.sampler, args.cfg, args.latent):
        print(f"  differs: {said}")


def _model(args: argparse.Namespace, presets: Mapping[str, Preset]) -> ModelIdentity:
    """The model that is asked about: another preset's, or that of the presets fitted to a checkpoint.

    Raises:
        ValueError: there is none.
    """
    if args.like is not None:
        like = find_preset(args.like)
        if like is None:
            raise ValueError(f"--like must be a .safetensors file or a share code, got {args.like!r}")
        return like.model
    wanted = bare_name(args.checkpoint)
    models = [preset.model for _, preset in sorted(presets.items())]
    known = [model for model in models if wanted in (model.checkpoint, model.checkpoint_hash)]
    if not known:
        near = difflib.get_close_matches(wanted, {model.checkpoint or "" for model in models}, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"--checkpoint: no preset was fitted to {wanted}{hint}")
    # Which LoRAs will run is not known here, so that they are not compared.
    return replace(known[0], patches=None, loras=())
