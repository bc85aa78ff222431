"""Models with an exact answer beside the trained ones: mixtures of Gaussians, noise prediction and flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..cli.subjects import PlainSubject
from ..demo.models.network import EPS_RANGE, FLOW_RANGE
from ..schedules.presets.identity import ModelIdentity
from .analytic import MixtureDenoiser, power_law, random_mixture

MIXTURES = ("mixture_eps", "mixture_flow")
_DIM, _EXPONENT, _MODES, _CLASSES, _SEED = 96, 1.4, 24, 4, 5


def mixture_subject(name: str, guidance: float) -> PlainSubject:
    """One of MIXTURES: 96 dimensions with the spectrum of natural images, 24 modes in 4 classes; the same mixture in
    both spaces, on the noise ranges of the trained models. Its rows go through the classes in turn."""
    model = mixture_model(name, guidance)
    low, high = FLOW_RANGE if model.flow else EPS_RANGE
    identity = ModelIdentity(family="Mixture", sigma_min=low, sigma_max=high, flow=model.flow)
    return PlainSubject(f"{name}, guidance {guidance:g}", model, (_DIM,), identity, None, _CLASSES, torch.device("cpu"))


def mixture_model(name: str, guidance: float) -> MixtureDenoiser:
    """The denoiser of one of MIXTURES."""
    flow, spectrum = name == "mixture_flow", power_law(_DIM, _EXPONENT)
    return random_mixture(_SEED, spectrum, modes=_MODES, classes=_CLASSES, flow=flow, cfg=guidance)


@dataclass(frozen=True)
class ModeClassifier:
    """The best classifier there is for a mixture: which mode a sample most likely comes from.

    Returns logits (B, modes) and, as features, the samples themselves (B, dim): nothing is hidden in those.
    """

    model: MixtureDenoiser

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        precision = 1.0 / self.model.variances
        away = (x.double()[:, None] - self.model.means).square() * precision
        return -0.5 * (away.sum(dim=2) - precision.log().sum(dim=1)), x
