"""The result of a fit: schedules for every step count, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.noise_space import SigmaRange
from ..core.sigmas import steps_before_truncation
from ..core.types import SamplerFunction
from ..presets.file import load_preset, save_preset
from ..presets.identity import ModelIdentity
from ..presets.made import HowMade
from ..presets.preset import DenoiseMode, Preset
from ..samplers.by_name import own_sampler
from ..samplers.fitted import NAME, PresetCoefficients, sample_sigmasmith_multistep
from .report import FITTED, Report, StepReport


@dataclass(frozen=True)
class Calibration:
    """Schedules fitted to one model, sampler and guidance.

    Attributes:
        schedules: steps -> (steps + 1,) float32 sigma list, the schedules returned (fitted, or the host's that won).
        sigma_range: of the model.
        sampler: name of the sampler they were fitted for.
        report: held-out errors against the host's schedules.
        nfe: model evaluations per sample: teacher, search, baselines and held-out check together.
        effort: name of the effort.
        latent_shape: (...) of one sample, without the batch.
        seconds: wall-clock time of the fit.
        coefficients: steps -> (steps, 1 + order), of the fitted multistep sampler; see `sampler_function`.
        denoise: of the runs that it was fitted for. Below 1 `schedules` holds lists of int(steps / denoise) steps whose
            last `steps` were fitted; the report goes by `steps`.
        made: facts on how it was made, for the preset.
    """

    schedules: Mapping[int, Tensor]
    sigma_range: SigmaRange
    sampler: str
    report: Report
    nfe: float
    effort: str
    latent_shape: tuple[int, ...]
    seconds: float = 0.0
    coefficients: Mapping[int, Tensor] = field(default_factory=dict)
    denoise: float = 1.0
    made: HowMade = field(default_factory=HowMade)

    @property
    def calls(self) -> int:
        """Model calls in all, each for one sample."""
        return round(self.nfe * self.report.samples)

    def is_fitted(self, steps: int, denoise: float = 1.0) -> bool:
        """Whether `sigmas(steps, denoise)` is (the end of) a schedule of this calibration; see Preset.is_fitted."""
        return self.to_preset().is_fitted(steps, denoise)

    def sigmas(self, steps: int, denoise: float = 1.0, mode: DenoiseMode = "steps") -> Tensor:
        """(steps + 1,) sigma list for any step count; see Preset.sigmas for `denoise` and `mode`."""
        return self.to_preset().sigmas(steps, denoise, mode)

    def sampler_function(self) -> SamplerFunction:
        """The sampler of this calibration with k-diffusion's signature, its coefficients included.

        Raises:
            ValueError: the sampler has no host-free form.
        """
        if self.sampler == NAME:
            coefficients = PresetCoefficients(self.schedules, self.coefficients)
            return partial(sample_sigmasmith_multistep, coefficients=coefficients)
        return own_sampler(self.sampler)

    def to_preset(self, model: ModelIdentity | None = None, **fields: Any) -> Preset:
        """The preset of this calibration.

        Args:
            model: what it was fitted to, where more is known than the sigma range.
            fields: further fields of Preset (guidance, seeds, name, author, notes ...), `made` among them where more
                is known of it.
        """
        known = ModelIdentity(
            family="",
            prediction="flow" if self.sigma_range.flow else "eps",
            sigma_min=self.sigma_range.sigma_min,
            sigma_max=self.sigma_range.sigma_max,
            flow=self.sigma_range.flow,
        )
        rows = {steps_before_truncation(steps, self.denoise): row for steps, row in self.report.rows.items()}
        kept = {steps: row.for_preset() for steps, row in rows.items() if steps in self.schedules}
        return Preset(
            schedules=self.schedules,
            coefficients=self.coefficients,
            sampler=self.sampler,
            model=model or known,
            latent_shape=self.latent_shape,
            effort=self.effort,
            denoise=self.denoise,
            origin={steps: origin for steps, (origin, _) in kept.items()},
            errors={steps: errors for steps, (_, errors) in kept.items()},
            made=fields.pop("made", self.made),
            **fields,
        )

    def save(self, path: str | Path, **fields: Any) -> None:
        """Write the preset file; `fields` as in `to_preset`. An existing file is replaced in one piece."""
        save_preset(Path(path), self.to_preset(**fields), overwrite=True)

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """The calibration that a preset file holds: its schedules and held-out errors; what a preset leaves out
        (nfe, seconds, mode switches, notes of the report) is 0 or empty."""
        preset = load_preset(Path(path))
        rows = {
            preset.running(full): StepReport(preset.running(full), errors, {}, preset.origin.get(full, FITTED))
            for full, errors in preset.errors.items()
        }
        return cls(
            schedules=preset.schedules,
            sigma_range=preset.model.sigma_range,
            sampler=preset.sampler,
            report=Report(rows, 0, 0, 0.0),
            nfe=0.0,
            effort=preset.effort or "",
            latent_shape=preset.latent_shape or (),
            coefficients=preset.coefficients,
            denoise=preset.denoise,
            made=preset.made,
        )
