"""WebUI checkouts, and their modules/sd_schedulers.py loaded with only what it imports: no running host is needed."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

NAMES = ("FORGE", "REFORGE", "A1111", "NEO")
_ROOTS = ("modules", "backend", "k_diffusion", "k_diff")


def checkout(name: str) -> tuple[Path | None, str]:
    """The folder named by <NAME>_PATH, else ~/webui/<name>; or None and the reason."""
    path = Path(os.environ.get(f"{name}_PATH", f"~/webui/{name.lower()}")).expanduser()
    if not (path / "modules" / "sd_schedulers.py").is_file():
        return None, f"no {name} at {path}: clone it there, or set {name}_PATH"
    return path, ""


class _Options:
    """Settings of the host: the ones that its schedulers read are numbers."""

    sd_sampling = "A1111"
    hide_schedulers: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> float:
        return 1.0


@contextlib.contextmanager
def sd_schedulers(path: Path, *, sdxl: bool = False) -> Iterator[Any]:
    """The module of a checkout, its imports of the host replaced by the little that it reads."""
    held = {name: module for name, module in sys.modules.items() if name.split(".")[0] in _ROOTS}
    for name in held:
        del sys.modules[name]
    searched = list(sys.path)
    shared = ModuleType("modules.shared")
    shared.opts = _Options()  # pyright: ignore[reportAttributeAccessIssue]
    shared.sd_model = SimpleNamespace(is_sdxl=sdxl)  # pyright: ignore[reportAttributeAccessIssue]
    package = _package("modules", path / "modules")
    package.shared = shared  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["modules.shared"] = shared
    # Their __init__ import training code; the schedulers need the sampling file alone.
    prediction = ModuleType("backend.modules.k_prediction")  # asked by one sampler for the class alone
    prediction.PredictionFlux = object  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["backend.modules.k_prediction"] = prediction
    patcher = ModuleType("backend.patcher.base")  # asked by Neo's samplers for this name
    patcher.set_model_options_post_cfg_function = None  # pyright: ignore[reportAttributeAccessIssue]
    sys.modules["backend.patcher.base"] = patcher
    for name in ("backend", "backend.modules", "backend.patcher", "k_diffusion", "k_diff", "k_diff.k_diffusion"):
        folder = next((place for place in _places(path, name) if place.is_dir()), None)
        if folder is not None:
            _package(name, folder)
            if (folder / "sampling.py").is_file() and name.startswith("k_"):
                importlib.import_module(f"{name}.sampling")
    try:
        yield importlib.import_module("modules.sd_schedulers")
    finally:
        sys.path[:] = searched
        for name in [name for name in sys.modules if name.split(".")[0] in _ROOTS]:
            del sys.modules[name]
        sys.modules.update(held)


def _places(path: Path, name: str) -> list[Path]:
    """Folders in which hosts keep a package."""
    places = [path.joinpath(*name.split("."))]
    if name == "k_diffusion":
        places += [path / "repositories" / "k-diffusion" / name, path / "modules_forge" / "packages" / name]
    return places


def _package(name: str, folder: Path) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module
