"""The terms that the parameters of a fitted multistep sampler add to a state: the columns of every such fit."""

from __future__ import annotations

import torch
from torch import Tensor


def feature_sketches(state: Tensor, outputs: list[Tensor], sigma: float, sigma_next: float, order: int) -> Tensor:
    """(B, m, features) what each parameter of a step adds to the state; differences without history are 0.

    Args:
        state: (B, m) sketch of x.
        outputs: sketches of the model outputs, newest first, at least one.
    """
    rest = 1.0 - sigma_next / sigma
    newest = outputs[0]
    columns = [newest - outputs[j] if j < len(outputs) else torch.zeros_like(newest) for j in range(1, order)]
    columns += [newest, (state - newest) * (min(sigma, 1.0) / sigma)]
    return rest * torch.stack(columns, dim=2)
