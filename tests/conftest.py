"""Puts the tree under test before any installed `sigmasmith`, and sets the hypothesis profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
TREE = str(ROOT / "tests" / "tree")


def mount_package() -> None:
    """`sigmasmith` is this tree, here and in the Python processes that tests start.

    Raises:
        RuntimeError: another copy was imported before.
    """
    sys.path.insert(0, TREE)
    os.environ["PYTHONPATH"] = os.pathsep.join([TREE, *filter(None, [os.environ.get("PYTHONPATH")])])
    import sigmasmith

    if Path(str(sigmasmith.__file__)).resolve().parent != ROOT:
        raise RuntimeError(f"the tests of {ROOT} would test {sigmasmith.__file__}")


mount_package()
settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")
# Tensors here are tiny: a second thread only waits, and on a busy machine it makes a fit ten times longer.
torch.set_num_threads(1)
