"""The functions behind the panel's buttons and changes: plain values in, gradio updates out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gradio as gr

from .. import infotext, state
from ..answers import answer, in_words
from ..fit_inputs import costs_in_words
from ..host.folders import preset_store
from ..host.identity import latent_shape, loaded_range, model_identity
from ..host.samplers import ignores_schedulers, known_function, sampler_config, samplers_with_own_table, scheduler_of
from ..host.schedules import schedule_labels
from ..host.slicing import drops_penultimate, slicing_for
from ..registration import LABELS, scheduler_name
from ..schedulers import choose
from ..state import CODE, MATCH, NONE, PanelChoice
from . import html
from .inputs import HOST_SLICING, NOISE_LEVEL, denoise_mode

COST_FIELDS = ("steps", "noises", "effort")


def choices() -> list[str]:
    """Entries of the preset dropdown."""
    return [MATCH, NONE, CODE, *preset_store().names()]


def known_schedules(labels: Iterable[str]) -> list[str]:
    """Those of the labels that this host has."""
    return [label for label in labels if label in schedule_labels()]


def refreshed(chosen: str) -> Any:
    """The dropdown with the files that are there now; a choice whose file is gone falls back to matching."""
    known = choices()
    return gr.update(choices=known, value=chosen if chosen in known else MATCH)


def cost(steps: Any, noises: Any, effort: str) -> str:
    """The cost of a fit with these inputs in words, or what is wrong with them."""
    try:
        return html.lines(costs_in_words(steps, noises, effort))
    except ValueError as error:
        return html.warned(str(error))


def own_tables() -> str:
    """The samplers of this host for which our schedule types cannot be used."""
    names = samplers_with_own_table()
    return html.lines([f"These samplers do not follow schedule types of extensions: {', '.join(names)}."])


def will_run(
    dark: bool,
    preset: str,
    code: str,
    denoise: str,
    steps: Any,
    label: str,
    scheduler: str,
    guidance: Any,
    width: Any,
    height: Any,
    strength: Any = None,
) -> str:
    """The schedule that the tab will run in words, with a plot; a denoising strength is img2img's alone."""
    choice = PanelChoice(preset, code, denoise_mode(denoise))
    config = sampler_config(label)
    scheduler = scheduler_of(scheduler, config)
    name = scheduler_name(scheduler)
    if name is None:
        return html.lines([f"The schedule type is {scheduler}. Ours are {', '.join(LABELS.values())}."])
    if why := ignores_schedulers(label):
        return html.warned(f"{label} {why}: {scheduler} would not be used.")
    sigma_range = loaded_range()
    if sigma_range is None:
        return html.lines(["The checkpoint is not loaded yet; what will run is known when it is."])
    strength = None if strength is None else float(strength)
    slicing = slicing_for(int(steps), strength, drops=drops_penultimate(config))
    if slicing.runs < 1:
        return html.warned("At this denoising strength nothing runs.")
    identity = model_identity(sigma_range)
    try:
        known = known_function(label) or None
        chosen = choose(
            name,
            choice,
            identity,
            sampler=known,
            guidance=float(guidance),
            latent_shape=latent_shape(int(width), int(height)),
            steps=slicing.total,
            denoise=slicing.denoise,
        )
        result = answer(name, slicing, sigma_range, preset=chosen.preset, mode=choice.mode, sampler=known)
    except ValueError as error:
        return html.warned(str(error))
    text = [in_words(name, result, slicing) + f" {chosen.why}", *chosen.warnings]
    shown = html.plot(result, slicing, sigma_range, dark=bool(dark))
    return html.lines(text, kind="sigmasmith-warning" if chosen.warnings or result.fallback else "") + shown


def ended(task: str, preset: str, label: str, scheduler: str, steps: Any) -> tuple[Any, ...]:
    """After a generation of this page: what it said and, of a fit, the values that use it.

    Args:
        task: the page's id of the generation.
        preset, label, scheduler, steps: as the page has them.
    Returns:
        the text, then updates of the preset, what a strength below 1 means, and the host's sampler, scheduler and
        steps. What does not change is left alone.
    """
    generation = state.of_task(task)
    said = list(generation.said) if generation is not None else []
    fitted = generation.fitted if generation is not None else None
    if fitted is None:
        return html.report(said), *[gr.update()] * 5
    count = int(steps) if int(steps) in fitted.steps else fitted.steps[0]
    wanted = ((label, fitted.sampler), (scheduler, fitted.scheduler), (int(steps), count))
    updates = [gr.update() if now == value else gr.update(value=value) for now, value in wanted]
    said.append(
        f"Chosen now: preset {fitted.preset}, schedule type {fitted.scheduler}, sampling method {fitted.sampler}, "
        f"{count} steps. Generate uses it."
    )
    chosen = gr.update(choices=choices(), value=fitted.preset)
    return html.report(said), chosen, gr.update(value=HOST_SLICING), *updates


def pasted_preset(params: dict[str, Any]) -> Any:
    """The dropdown for a pasted infotext; a plain value, for the HTTP API of Forge takes no updates here."""
    pasted = infotext.pasted(params, preset_store())
    return None if pasted is None else pasted.choice


def pasted_code(params: dict[str, Any]) -> Any:
    """The share code for a pasted infotext."""
    pasted = infotext.pasted(params, preset_store())
    return pasted.code if pasted is not None and pasted.code else None


def pasted_denoise(params: dict[str, Any]) -> Any:
    """The denoise mode for a pasted infotext."""
    pasted = infotext.pasted(params, preset_store())
    return None if pasted is None else NOISE_LEVEL if pasted.mode == "noise_level" else HOST_SLICING


def pasted_message(params: dict[str, Any]) -> Any:
    """A sentence about a pasted infotext, where there is something to say."""
    pasted = infotext.pasted(params, preset_store())
    return gr.update(value=html.lines([pasted.message] if pasted is not None else []))
