"""Mounts the repository as the package `sigmasmith`, as the hosts do, and sets the hypothesis profile."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]


def mount_package() -> None:
    if importlib.util.find_spec("sigmasmith") is not None:
        return
    spec = importlib.util.spec_from_file_location(
        "sigmasmith", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sigmasmith"] = module
    spec.loader.exec_module(module)


mount_package()
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
# Tensors here are tiny: a second thread only waits, and on a busy machine it makes a fit ten times longer.
torch.set_num_threads(1)
