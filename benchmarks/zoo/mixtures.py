"""Mixtures of pictures: models of any size, channels and spectrum with an exact denoiser, as many as one likes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...cli.subjects import PlainSubject
from ...schedules.presets.identity import ModelIdentity
from ..analytic import MixtureDenoiser
from .recipes import RANGES
from .spectra import CosineDenoiser, frequencies, to_cosines
from .templates import Source, draw_templates


@dataclass(frozen=True)
class MixtureSettings:
    """A mixture of Gaussians whose means are pictures, in the cosine basis.

    Args:
        source: of the pictures, see templates.
        size: pixels per side, 8 to 64.
        channels: 1 to 16.
        exponent: variance within a mode falls as frequency**-exponent: 0 is flat, 2 as in photographs.
        flatten: the pictures' own spectrum is multiplied by frequency**flatten: 0 leaves it, 2 makes it about flat, as
            that of latents.
        range: a name of RANGES.
        within: share of the variance within the modes, above 0 and below 1.
        std: of the data.
        modes, classes: how many; mode i is of class i % classes.
        seed: of crops, shapes and of the modes' spreads.
    """

    source: Source
    size: int
    channels: int
    exponent: float
    range: str
    flatten: float = 0.0
    within: float = 0.3
    std: float = 1.0
    modes: int = 24
    classes: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.range not in RANGES:
            raise ValueError(f"range must be one of {', '.join(RANGES)}, got {self.range!r}")
        if not 0 < self.within < 1:
            raise ValueError(f"within must be above 0 and below 1, got {self.within}")
        if not 1 <= self.classes <= self.modes:
            raise ValueError(f"classes must be 1 to modes ({self.modes}), got {self.classes}")


def picture_mixture(settings: MixtureSettings, guidance: float = 1.0) -> MixtureDenoiser:
    """The mixture in flat cosine coefficients (channels * size * size), float64; CosineDenoiser puts it on pictures."""
    count, size = settings.modes, settings.size
    shape = (count, settings.channels, size, size)
    pictures = draw_templates(settings.source, count, settings.channels, size, settings.seed)
    # The mean has no frequency of its own: it goes with the lowest one.
    radius = frequencies(size, size).clamp(min=1 / (size - 1))
    means = to_cosines(pictures) * radius ** (settings.flatten / 2)
    draw = torch.Generator().manual_seed(settings.seed)
    spread = torch.exp(0.4 * torch.randn(count, 1, 1, 1, generator=draw, dtype=torch.float64))
    variances = (spread * radius**-settings.exponent).expand(shape)
    between = means - means.mean(0)
    means = between * (settings.std * ((1 - settings.within) / between.square().mean()).sqrt())
    variances = variances * (settings.std**2 * settings.within / variances.mean())
    labels = torch.arange(count) % settings.classes
    return MixtureDenoiser(means.flatten(1), variances.flatten(1), labels, RANGES[settings.range].flow, guidance)


def mixture_subject(name: str, settings: MixtureSettings, guidance: float) -> PlainSubject:
    """The mixture as every model of the benchmarks; its rows go through the classes in turn."""
    limits = RANGES[settings.range]
    identity = ModelIdentity(family="Mixture", sigma_min=limits.sigma_min, sigma_max=limits.sigma_max, flow=limits.flow)
    denoiser = CosineDenoiser(picture_mixture(settings, guidance))
    shape = (settings.channels, settings.size, settings.size)
    shown = f"{name}, guidance {guidance:g}"
    return PlainSubject(shown, denoiser, shape, identity, None, settings.classes, torch.device("cpu"))


def random_settings(seed: int, sources: tuple[Source, ...]) -> MixtureSettings:
    """Settings drawn evenly over sources, sizes, channels, spectra and ranges: mixture number `seed` of a family."""
    draw = torch.Generator().manual_seed(seed)

    def pick(*choices: float) -> float:
        return choices[int(torch.randint(len(choices), (), generator=draw))]

    range_name = tuple(RANGES)[int(pick(*range(len(RANGES))))]
    exponent = float(pick(0.0, 0.5, 1.0, 1.5, 2.0))
    return MixtureSettings(
        source=sources[int(pick(*range(len(sources))))],
        size=int(pick(8, 16, 32, 64)),
        channels=int(pick(1, 3, 4, 16)),
        exponent=exponent,
        flatten=2.0 - exponent,
        within=float(pick(0.15, 0.3, 0.6)),
        modes=int(pick(12, 24, 48)),
        range=range_name,
        seed=seed,
    )


def sample_mixture(mixture: MixtureDenoiser, rows: int, seed: int) -> Tensor:
    """(rows, dim) float64 draws of the data itself, in the mixture's own basis."""
    draw = torch.Generator().manual_seed(seed)
    mode = torch.randint(len(mixture.means), (rows,), generator=draw)
    noise = torch.randn(rows, mixture.dim, generator=draw, dtype=torch.float64)
    return mixture.means[mode] + mixture.variances[mode].sqrt() * noise
