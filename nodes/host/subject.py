"""The subject of a fit, asked of the host once and in one place: from here on only plain values travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from ...schedules.core.types import Baselines
from ...schedules.curves.guidance import GuidanceCurve
from ...schedules.hosts.schedules import published_lists
from ...schedules.presets.identity import ModelIdentity
from ...schedules.presets.made import HowMade
from ..registration import SCHEDULER_NAMES
from .changes import running_facts
from .guidance import guidance_curve_of
from .guiders import guidance_of
from .identity import dtype_of, identity_under, records_digest
from .latents import latent_rows
from .noise_levels import NoiseLevels, noise_levels_of
from .schedulers import dropdown_names, dropdown_schedule, drops_penultimate


@dataclass(frozen=True)
class GuidedModel:
    """One model under its guider.

    Attributes:
        guidance: the guider's, where it has a single one; `curve`: of Sigmasmith Guidance on the model.
        made: how it guides beside that, and what nodes have put on the model.
        records: digest of everything that is known to change the output, prompts among it.
        latent_format: kind of the latents that it takes.
    """

    identity: ModelIdentity
    guidance: float | None
    curve: GuidanceCurve | None
    made: HowMade
    records: str
    latent_format: str


@dataclass(frozen=True)
class Subject:
    """The subject of a fit: one model, or two in turn.

    Attributes:
        models: one, or two, the first for the high noise levels.
        identity: what the preset records. Of two models only what holds for both: the rest is left open, so that the
            preset serves both without a warning.
        guidance: the guidance, where it is one number and the same for all.
        dtype: of the first model's weights.
        latents: (rows, ...) float32 CPU, what the noise is put on.
        baselines: the host's schedules for the first model; see host_baselines.
        boundary: sigma from which upwards the first of two models runs.
        made: how it is guided and what is on the model, where that holds for all; names two models and their boundary.
    """

    models: tuple[GuidedModel, ...]
    identity: ModelIdentity
    guidance: float | None
    dtype: str
    latents: Tensor
    baselines: Baselines
    boundary: float | None = None
    made: HowMade = field(default_factory=HowMade)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.latents.shape[1:])


def subject_of(
    guiders: Sequence[Any],
    latent: dict[str, Any],
    rows: int,
    sampler: str,
    share: float = 1.0,
    low_input: str = "model_low",
) -> Subject:
    """The subject of a fit.

    Args:
        guiders: one, or two: the second's model runs below the boundary.
        latent: the LATENT; `rows`: how many samples of it are asked for.
        sampler: that the baselines are for.
        share: of noise at the boundary.
        low_input: name of the input that the second guider came from.
    Raises:
        ValueError: names the input.
    """
    model = guiders[0].model_patcher
    models = tuple(guided_model(guider) for guider in guiders)
    identity, guidance, boundary, made = models[0].identity, models[0].guidance, None, models[0].made
    if len(models) > 1:
        check_pair(models[0], models[1], low_input)
        boundary = boundary_sigma(identity, share)
        names = tuple(one.identity.checkpoint or "" for one in models)
        common = made if made == models[1].made else HowMade()
        made = replace(common, boundary=boundary, models=names)
        guidance = guidance if guidance == models[1].guidance else None
        identity = _of_both(identity, models[1].identity)
    baselines, latents = host_baselines(noise_levels_of(model), sampler), latent_rows(model, latent, rows)
    return Subject(models, identity, guidance, dtype_of(model), latents, baselines, boundary, made)


def host_baselines(levels: NoiseLevels, sampler: str) -> Baselines:
    """The schedules that this host offers for a model: its dropdown, other packs' entries, and its fixed lists.

    As the KSampler would run them with this sampler. Another pack's may raise anything.
    """
    drops = drops_penultimate(sampler)
    others = [name for name in dropdown_names() if name not in SCHEDULER_NAMES]
    dropdown = {name: dropdown_schedule(levels.sampling, name, drops) for name in others}
    return dropdown | published_lists(levels.sigma_range, levels.table)


def guided_model(guider: Any) -> GuidedModel:
    """A guider and its model as plain values."""
    model = guider.model_patcher
    return GuidedModel(
        identity=identity_under(guider),
        guidance=guidance_of(guider),
        curve=guidance_curve_of(model),
        made=running_facts(guider),
        records=records_digest(guider),
        latent_format=type(model.get_model_object("latent_format")).__name__,
    )


def check_pair(first: GuidedModel, second: GuidedModel, low_input: str) -> None:
    """Raise ValueError, which names the input, where two models cannot follow each other in one run.

    Args:
        low_input: name of the input that the second came from.
    """
    one, two = first.identity, second.identity
    if (one.flow, one.prediction, one.table_hash) != (two.flow, two.prediction, two.table_hash):
        shifts = f" (shift {one.shift:g} and {two.shift:g})" if one.shift and two.shift else ""
        raise ValueError(
            f"{low_input}: its noise levels are not those of the first model{shifts}. Put the same ModelSampling node "
            "with the same settings on both."
        )
    if first.latent_format != second.latent_format:
        raise ValueError(
            f"{low_input}: it takes latents of another kind ({second.latent_format}) than the first model "
            f"({first.latent_format})"
        )


def _of_both(first: ModelIdentity, second: ModelIdentity) -> ModelIdentity:
    """The identity that holds for both models."""
    names = ("parameters", "checkpoint", "checkpoint_hash", "patches")
    differing = [name for name in names if getattr(first, name) != getattr(second, name)]
    family = first.family if first.family == second.family else ""
    return replace(first, family=family, **dict.fromkeys(differing))


def boundary_sigma(identity: ModelIdentity, share: float) -> float:
    """The sigma at which the share of noise is `share`; on flow models they are the same.

    Raises:
        ValueError: names the input `boundary`.
    """
    sigma_range = identity.sigma_range
    sigma = float(sigma_range.at_noise_fraction(share))
    if not sigma_range.sigma_min < sigma < sigma_range.sigma_max:
        raise ValueError(
            f"boundary: {share:g} is no share of noise inside the model's range, sigma {sigma_range.sigma_min:.4g} to "
            f"{sigma_range.sigma_max:.4g}"
        )
    return sigma
