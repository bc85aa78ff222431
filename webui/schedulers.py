"""The functions behind our scheduler entries: which preset, its sigmas, and what to tell the person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from ..schedules.core.noise_space import SigmaRange
from ..schedules.presets.checks import PresetError
from ..schedules.presets.identity import ModelIdentity
from ..schedules.presets.made import PILOT
from ..schedules.presets.matching import best_match
from ..schedules.presets.preset import Preset
from ..schedules.presets.share_code import from_share_code
from . import infotext
from .answers import ScheduleAnswer, Slicing, answer, in_words
from .host.folders import preset_store
from .host.identity import exact_range, guidance_of, loras_of, model_identity, model_range, sigma_range_of
from .host.samplers import function_name
from .host.schedules import schedule_labelled
from .host.slicing import drops_penultimate
from .log import say
from .passes import announce_without_hooks
from .registration import ADAPTIVE, COSINE, LABELS, scheduler_name
from .state import CODE, MATCH, NONE, Generation, PanelChoice, SamplingPass, current_pass


@dataclass(frozen=True)
class Chosen:
    """The preset for a run.

    Attributes:
        preset: None where there is none.
        why: how it was chosen, or why there is none, in words.
        warnings: what differs between it and the run.
    """

    preset: Preset | None
    why: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labelled:
    """A schedule type of the dropdown as a sampler would run it.

    Attributes:
        sigmas: (steps + 1,).
        answer: of ours, None for the host's own.
        chosen: the preset it is of.
    """

    sigmas: Tensor
    answer: ScheduleAnswer | None
    chosen: Chosen


def labelled(generation: Generation, label: str, steps: int, sampler: Any, p: Any) -> Labelled:
    """The schedule type of this label for a whole image of so many steps.

    Args:
        sampler: the host's sampler object.
    Raises:
        ValueError: names the panel's input to change.
    """
    name = scheduler_name(label)
    if name is None:
        return Labelled(schedule_labelled(label, sampler, p.width, p.height)(steps), None, Chosen(None, ""))
    sigma_range = exact_range(model_range(sampler))
    chosen = choose(
        name,
        generation.choice,
        model_identity(sigma_range),
        sampler=function_name(sampler),
        guidance=guidance_of(p),
        steps=steps,
    )
    slicing = Slicing(steps, steps, drops=drops_penultimate(sampler.config))
    result = answer(name, slicing, sigma_range, preset=chosen.preset, sampler=function_name(sampler) or None)
    return Labelled(result.sigmas, result, chosen)


def functions() -> dict[str, Callable[..., Tensor]]:
    """Our name -> function as the host calls it."""
    return {name: partial(scheduled, name) for name in LABELS}


def scheduled(
    name: str, n: int, sigma_min: float, sigma_max: float, inner_model: Any = None, device: Any = None, **_: Any
) -> Tensor:
    """The sigma list (n + 1,) for the host's call, float32.

    Raises:
        ValueError: names the panel's input to change.
    """
    sigma_range = exact_range(sigma_range_of(inner_model, sigma_min, sigma_max))
    announce_without_hooks()
    under_way = current_pass()
    # A call for another step count, or under another name, is not the one that the hooks announced.
    if under_way and under_way[1].scheduler == name and under_way[1].slicing and under_way[1].slicing.asked == n:
        given = _for_pass(name, sigma_range, *under_way)
    else:
        given = _plain(name, n, sigma_range)
    return given if device is None else given.to(device)


def _plain(name: str, steps: int, sigma_range: SigmaRange) -> Tensor:
    slicing = Slicing(steps, steps)
    chosen = choose(name, PanelChoice(), model_identity(sigma_range), steps=steps)
    result = answer(name, slicing, sigma_range, preset=chosen.preset)
    say(f"{in_words(name, result, slicing)} {chosen.why}", warning=result.fallback)
    return result.given


def _for_pass(name: str, sigma_range: SigmaRange, generation: Generation, now: SamplingPass) -> Tensor:
    assert now.slicing is not None
    p = generation.processing()
    identity = model_identity(sigma_range, loras_of(p))
    choice = generation.choice
    if generation.job is not None:  # it starts from the host's own noise; only the first sigma matters
        return answer(COSINE, now.slicing, sigma_range).given
    chosen = choose(
        name,
        choice,
        identity,
        sampler=now.function or None,
        guidance=now.guidance,
        latent_shape=now.latent_shape,
        steps=now.slicing.total,
        denoise=now.slicing.denoise,
    )
    result = now.answer = answer(
        name,
        now.slicing,
        sigma_range,
        preset=chosen.preset,
        mode=choice.mode,
        sampler=now.function or None,
    )
    text = " ".join([in_words(name, result, now.slicing), chosen.why, *chosen.warnings]).strip()
    # Of a batch of images each asks anew. That the family runs stands in the panel, the log and the infotext already.
    generation.say_once(text, warning=bool(chosen.warnings))
    if p is not None:
        p.extra_generation_params.update(infotext.written(result, identity, hires=now.hires, mode=choice.mode))
    return result.given


def choose(
    name: str,
    choice: PanelChoice,
    identity: ModelIdentity,
    *,
    sampler: str | None = None,
    guidance: float | None = None,
    latent_shape: tuple[int, ...] | None = None,
    steps: int | None = None,
    denoise: float = 1.0,
) -> Chosen:
    """The preset of the panel's choice, or the one that matches the model.

    Raises:
        ValueError: the chosen preset or share code cannot be used.
    """
    if name == COSINE:
        return Chosen(None, "")
    if choice.preset == NONE:
        return Chosen(None, "The panel asks for no preset.")
    run: dict[str, Any] = {"sampler": sampler, "guidance": guidance, "latent_shape": latent_shape}
    start = identity.sigma_max if denoise > 0.9999 else None
    if choice.preset == MATCH:
        presets = preset_store().presets()
        # Frozen from a pilot run, and not fitted: those are for the adaptive entry alone.
        known = {key: preset for key, preset in presets.items() if (preset.made.method == PILOT) == (name == ADAPTIVE)}
        match = best_match(known, identity, **run, steps=steps, denoise=denoise)
        if match is None:
            how = "fit one of effort pilot in the panel" if name == ADAPTIVE else "fit one in the panel"
            return Chosen(None, f"No preset matches this checkpoint; {how}, or choose one.")
        return Chosen(match.preset, f"It was {match.reason}.", tuple(match.preset.differences(identity, **run)))
    try:
        preset = from_share_code(choice.code) if choice.preset == CODE else preset_store().load(choice.preset)
    except PresetError as error:
        raise ValueError(f"Sigmasmith, {'Share code' if choice.preset == CODE else 'Preset'}: {error}") from None
    if preset.model.flow != identity.flow:
        kinds = {True: "flow models, with sigmas from 0 to 1", False: "noise-prediction models"}
        raise ValueError(
            f"Sigmasmith, Preset: {preset.name or choice.preset} was fitted for {kinds[preset.model.flow]}; the loaded "
            f"checkpoint is one of the {kinds[identity.flow]}. Choose {MATCH!r} or fit one."
        )
    differences = preset.differences(identity, **run, start_sigma=start)
    return Chosen(preset, "It was chosen in the panel.", tuple(differences))
