"""`merge`: the union of preset folders."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..schedules.presets.checks import PresetError
from ..schedules.presets.file import from_bytes, workflow_of
from ..schedules.presets.folder import free_path, preset_files
from ..schedules.presets.preset import Preset
from .files import existing_folders, write_file

CONFLICTS = 1


@dataclass(frozen=True)
class MergedFile:
    """A preset file of one of the folders."""

    path: Path
    data: bytes
    preset: Preset


def run(args: argparse.Namespace) -> None:
    out = Path(args.out)
    folders = existing_folders(args.folders)
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out is no folder: {out}")
    kept, problems = merged([out, *folders])
    written = 0
    for name, file in sorted(kept.items()):
        try:
            path = free_path(out, name)
        except PresetError as error:
            problems.append(f"{file.path}: {error}")
            continue
        if not path.exists() or path.read_bytes() != file.data:
            write_file(path, file.data)
            written += 1
    print(f"{len(kept)} presets in {out}, {written} of them new or better documented.")
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        sys.stdout.flush()
        raise SystemExit(CONFLICTS)


def merged(folders: Iterable[Path]) -> tuple[dict[str, MergedFile], list[str]]:
    """(the presets of all folders by their names, a sentence for each that is left where it is).

    Of equal ones the better documented is kept, the earlier folder's where none is.
    """
    kept: dict[str, MergedFile] = {}
    conflicts: set[str] = set()
    problems: list[str] = []
    for folder in dict.fromkeys(folders):
        for name, path in preset_files([folder]).items():
            try:
                data = path.read_bytes()
                file = MergedFile(path, data, from_bytes(data))
            except (OSError, PresetError) as error:
                problems.append(f"{path} cannot be used: {error}")
                continue
            known = kept.setdefault(name, file)
            if known.data == data:
                continue
            if said := differences(known.preset, file.preset):
                conflicts.add(name)
                problems.append(f"{name}: {known.path} and {path} are different presets. {' '.join(said)}")
            elif documented(file) > documented(known):
                kept[name] = file
    return {name: file for name, file in kept.items() if name not in conflicts}, problems


def differences(one: Preset, other: Preset) -> list[str]:
    """Sentences on what tells two presets apart, what only one of them says left out; none where they are equal."""
    said = [] if one.hash == other.hash else ["Their sigmas differ."]
    common = one.coefficients.keys() & other.coefficients.keys()
    if not all(torch.equal(one.coefficients[steps], other.coefficients[steps]) for steps in common):
        said.append("Their coefficients differ.")
    if one.denoise != other.denoise:
        said.append(f"Fitted for denoise {one.denoise:g}, the other for {other.denoise:g}.")
    return said + one.differences(other.model, other.sampler, other.guidance, other.latent_shape)


def documented(file: MergedFile) -> int:
    """How many facts a preset file holds: its lists, numbers and texts that are not empty."""
    return _facts(dataclasses.asdict(file.preset)) + (workflow_of(file.data) is not None)


def _facts(value: Any) -> int:
    if isinstance(value, dict):
        return sum(_facts(entry) for entry in value.values())
    if isinstance(value, (list, tuple)):
        return sum(_facts(entry) for entry in value)
    return 0 if value is None or (isinstance(value, str) and value == "") else 1
