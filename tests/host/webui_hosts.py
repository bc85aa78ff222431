"""The WebUIs that are tested: where each lies and how it is started on a CPU with a tiny checkpoint."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .tiny_a1111 import write_beside


def _nothing(_checkpoint: Path) -> None:
    pass


@dataclass(frozen=True)
class Kind:
    """What one WebUI needs that the others do not.

    Args:
        flags: of its command line.
        models: the flag that names the folder of models.
        config: settings.
        prepare: writes what it wants beside the checkpoint.
        sigma_min: the smallest noise level of its table of SD 1.5.
        upscaler: of the hires pass, one that needs no download.
        own_levels: a sampler that chooses its noise levels itself, "" where it has none that takes a schedule.
    """

    flags: tuple[str, ...] = ("--always-cpu", "--no-download-sd-model")
    models: str = "--models-dir"
    config: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Path], None] = _nothing
    sigma_min: float = 0.029167158529162407
    upscaler: str = "Latent"
    own_levels: str = "DPM fast"


KINDS: Mapping[str, Kind] = {
    "FORGE": Kind(),
    "REFORGE": Kind(),
    "A1111": Kind(
        flags=("--use-cpu", "all", "--skip-torch-cuda-test", "--no-half", "--no-download-sd-model"),
        sigma_min=0.029167532920837402,
        # The tiny text encoder's outputs have a mean of zero, which the other settings divide by.
        config={"emphasis": "No norm"},
        prepare=write_beside,
    ),
    "NEO": Kind(
        flags=("--cpu", "--force-fp32"),
        models="--model-ref",
        config={"VERSION_UID": "PY313"},
        upscaler="None",  # which resizes by Lanczos; its Lanczos is not in its list
        own_levels="",
    ),
}


@dataclass(frozen=True)
class Webui:
    """A checkout and the interpreter that has its requirements."""

    name: str
    path: Path
    python: Path

    @property
    def kind(self) -> Kind:
        """How it is started."""
        return KINDS[self.name]


def find_webui(name: str) -> tuple[Webui | None, str]:
    """The host named by <NAME>_PATH and <NAME>_PYTHON, else its .venv; or None and the reason."""
    named = os.environ.get(f"{name}_PATH")
    if not named:  # never by a default place: a host takes minutes to test
        return None, f"{name}_PATH is not set: clone the host and name its folder there"
    path = Path(named).expanduser()
    python = Path(os.environ.get(f"{name}_PYTHON", path / ".venv/bin/python")).expanduser()
    if not (path / "modules" / "sd_schedulers.py").is_file():
        return None, f"no {name} at {path}: clone it there, or set {name}_PATH"
    if not python.is_file():
        return None, f"no {python}: make that venv with {name}'s requirements, or set {name}_PYTHON"
    return Webui(name, path, python), f"{name} at {path}"
