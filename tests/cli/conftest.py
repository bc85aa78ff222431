"""A folder to work in, with a user's own model in it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The exact denoiser of data N(mean, 0.25): every fit of it is quick, and every host schedule is known to be beatable.
OWN_MODEL = """
import torch

calls = 0

def gaussian(x, sigma, cfg=1.0):
    global calls
    calls += 1
    s = sigma.reshape(-1, *[1] * (x.ndim - 1))
    mean = torch.linspace(-1, 1, x[0].numel()).reshape(x.shape[1:]) * cfg
    variance = torch.linspace(0.05, 0.5, x[0].numel()).reshape(x.shape[1:])
    return mean + variance / (variance + s**2) * (x - mean)

def without_guidance(x, sigma):
    return gaussian(x, sigma)

def wrong_shape(x, sigma):
    return x[:1]

def no_tensor(x, sigma):
    return 3

def not_a_number(x, sigma):
    return x * float("nan")

def own_mistake(x, sigma):
    raise ValueError("a mistake in the user's code")

def interrupted(x, sigma):
    raise KeyboardInterrupt

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, holding own_model.py; imports from it are forgotten again."""
    (tmp_path / "own_model.py").write_text(OWN_MODEL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_model", raising=False)
    yield tmp_path
    sys.modules.pop("own_model", None)
