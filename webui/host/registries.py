"""A1111, Forge and reForge as plain values: registries, folders, samplers. Only `host/` imports the host."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from modules import paths, processing, sd_samplers, sd_samplers_common, sd_samplers_kdiffusion, sd_schedulers, shared
from torch import Tensor

from ...schedules.core.noise_space import SigmaRange
from .. import LOGGER_NAME
from ..answers import Slicing
from ..registration import LABELS, SamplerEntry, clear_caches, register_samplers, register_schedulers
from ..samplers import own_sampler
from ..store import PresetStore

FOLDER = "sigmasmith"
FOLDER_OPTION = "sigmasmith_folder"
# Its repeats follow Karras, and from 20 steps on so does the rest.
_OWN_TABLE = {"restart_sampler"}
# Their noise cannot be turned off, so no noise-free reference says how good a schedule is for them.
_ALWAYS_NOISY = {"ddpm", "lcm"}

_stores: dict[tuple[Path, ...], PresetStore] = {}


def register(functions: Mapping[str, Callable[..., Tensor]], samplers: list[SamplerEntry]) -> None:
    """Add our schedulers and samplers to the host's lists."""
    register_schedulers(sd_schedulers, functions)
    register_samplers(sd_samplers, samplers, sd_samplers_common.SamplerData, sd_samplers_kdiffusion.KDiffusionSampler)
    clear_caches(sd_samplers)


def default_folder() -> Path:
    """models/sigmasmith."""
    return Path(paths.models_path) / FOLDER


def store() -> PresetStore:
    """The presets: those of the folder named in the settings, which is written to, and of models/sigmasmith."""
    named = str(getattr(shared.opts, FOLDER_OPTION, "") or "").strip()
    folders = (Path(os.path.expanduser(named)), default_folder()) if named else (default_folder(),)
    return _stores.setdefault(folders, PresetStore(folders))


def unfinished_folder() -> Path:
    """Where records of unfinished fits are kept."""
    return Path(paths.data_path) / "cache" / FOLDER / "unfinished"


def schedulers() -> list[Any]:
    """The host's list of schedulers."""
    return sd_schedulers.schedulers


def slicing_of(p: Any, sampler: Any, *, image_start: bool) -> Slicing:
    """How the host will cut the list in the pass that is about to start.

    Args:
        p: the host's processing object.
        sampler: the host's sampler object.
        image_start: whether the pass starts from an image (img2img, hires).
    """
    drops = drops_penultimate(getattr(sampler, "config", None))
    if not image_start:
        return Slicing(p.steps, p.steps, drops=drops)
    given = (p.hr_second_pass_steps or p.steps) if getattr(p, "is_hr_pass", False) else None
    total, last = sd_samplers_common.setup_img2img_steps(p, given)
    return Slicing(total, last + 1, float(p.denoising_strength), drops)


def slicing_for(steps: int, strength: float | None, *, drops: bool = False) -> Slicing:
    """How the host will cut the list for values of its page; a strength is img2img's."""
    if strength is None:
        return Slicing(steps, steps, drops=drops)
    total, last = sd_samplers_common.setup_img2img_steps(SimpleNamespace(steps=steps, denoising_strength=strength))
    return Slicing(total, last + 1, strength, drops)


def drops_penultimate(config: Any) -> bool:
    """Whether the host asks for one step more and drops sigmas[-2] for this sampler."""
    own = config is not None and config.options.get("discard_next_to_last_sigma", False)
    return bool(own or getattr(shared.opts, "always_discard_next_to_last_sigma", False))


def sampler_config(label: str | None) -> Any:
    """The host's data of a sampler, or None."""
    return sd_samplers.find_sampler_config(label) if label else None


def function_name(sampler: Any) -> str:
    """k-diffusion's name of a host sampler object's function, such as dpmpp_2m; presets are compared by it."""
    known = getattr(sampler, "funcname", "")
    name = known if isinstance(known, str) else getattr(known, "__name__", "")
    config = getattr(sampler, "config", None)
    if config is not None and config.options.get("solver_type") == "heun":
        name += "_heun"
    return name.removeprefix("sample_")


def known_function(label: str | None) -> str:
    """As `function_name`, by the name in the dropdown, before there is a sampler object; "" where it is not known."""
    for table in ("samplers_k_diffusion", "additional_samplers"):
        for name, function, _, options in getattr(sd_samplers_kdiffusion, table, ()):
            if name == label:
                found = function if isinstance(function, str) else getattr(function, "__name__", "")
                return found.removeprefix("sample_") + ("_heun" if options.get("solver_type") == "heun" else "")
    return ""


def ignores_schedulers(label: str) -> str | None:
    """Why a sampler does not follow the scheduler, in words, or None where it does (or the model decides)."""
    config, own = sampler_config(label), own_sampler(label)
    if config is None:
        return None
    if own is not None and own.own_levels and own.runner == "predictive":
        return "chooses its noise levels itself, between the first and the last of the schedule"
    if config in _timestep_samplers():
        return "is a timestep sampler, which knows no schedulers"
    if config in _own_table_samplers():
        return "uses this host's own table of schedulers, in which ours is Normal"
    name = known_function(label)
    if name in {"dpm_fast", "dpm_adaptive"}:
        return "chooses its noise levels itself"
    if name in _OWN_TABLE:
        return "follows Karras instead from 20 steps on"
    return None


def samplers_with_own_table() -> list[str]:
    """Names of all samplers that do not follow schedulers."""
    return [entry.name for entry in sd_samplers.all_samplers if ignores_schedulers(entry.name)]


def _timestep_samplers() -> list[Any]:
    module = getattr(sd_samplers, "sd_samplers_timesteps", None)
    return list(getattr(module, "samplers_data_timesteps", ()))


def _own_table_samplers() -> list[Any]:
    """reForge's and Forge's "alter" samplers, where they bring a get_sigmas of their own."""
    for name in ("forge_alter_samplers", "alter_samplers"):
        module = getattr(sd_samplers, name, None)
        own = getattr(module, "AlterSampler", None)
        if own is not None and "get_sigmas" in vars(own):
            return list(getattr(module, "samplers_data_alter", ()))
    return []


def check_fittable(label: str, sampler: Any) -> None:
    """Raise ValueError where no schedule can be fitted for a sampler of the host."""
    if own_sampler(label) is not None:
        raise ValueError(
            f"Sampling method: {label} is fitted for by its base; fit for Euler or DPM++ 2M and use that schedule"
        )
    why = ignores_schedulers(label)
    if why is None and "sigmas" not in inspect.signature(sampler.func).parameters:
        why = "chooses its noise levels itself"
    if why is None and type(sampler).get_sigmas is not sd_samplers_kdiffusion.KDiffusionSampler.get_sigmas:
        why = "does not follow the scheduler"
    if why is not None:
        raise ValueError(f"Sampling method: {label} {why}; choose another, such as DPM++ 2M or Euler")
    if function_name(sampler) in _ALWAYS_NOISY:
        raise ValueError(
            f"Sampling method: {label} adds fresh noise in every step, so there is no noise-free result to fit it to; "
            "fit for Euler or DPM++ 2M and use that schedule with it"
        )


def sigma_range(inner_model: Any, sigma_min: float, sigma_max: float) -> SigmaRange:
    """The noise range that a scheduler was asked for."""
    return SigmaRange(float(sigma_min), float(sigma_max), flow=is_flow(inner_model, float(sigma_max)))


def is_flow(inner_model: Any, sigma_max: float) -> bool:
    """Whether x = (1 - sigma) * x0 + sigma * noise.

    Forge's predictor says so; elsewhere a table that ends at 1 or below does: no noise-prediction model's is that low.
    """
    kind = getattr(getattr(inner_model, "predictor", None), "prediction_type", None)
    return kind == "const" if kind is not None else sigma_max <= 1.0


def starts_from_image(p: Any) -> bool:
    """Whether a generation is img2img."""
    return isinstance(p, processing.StableDiffusionProcessingImg2Img)


def was_stopped() -> bool:
    """Whether the person has pressed Interrupt or Skip."""
    return bool(shared.state.interrupted or shared.state.skipped)


def add_settings() -> None:
    """Our section in the host's settings."""
    shared.opts.add_option(
        FOLDER_OPTION,
        shared.OptionInfo(
            "",
            "Folder of presets, such as ComfyUI's models/sigmasmith; empty: models/sigmasmith of this WebUI",
            section=(FOLDER, "Sigmasmith"),
        ),
    )


def option(name: str, default: Any) -> Any:
    """One of the host's settings."""
    return getattr(shared.opts, name, default)


def create_sampler(label: str, p: Any) -> Any:
    """The host's sampler object for a name.

    Raises:
        ValueError: there is none of this name, or it is none of k-diffusion's.
    """
    config = sampler_config(label)
    if config is None:
        raise ValueError(f"Sampling method: this host has no sampler {label!r}")
    sampler = config.constructor(p.sd_model)
    if not isinstance(sampler, sd_samplers_kdiffusion.KDiffusionSampler):
        raise ValueError(f"Sampling method: {label} knows no schedulers; choose another, such as DPM++ 2M or Euler")
    sampler.config = config
    return sampler


def eta_of(p: Any) -> float:
    """The person's eta for samplers that have one."""
    own = getattr(p, "eta", None)
    return float(option("eta_ancestral", 1.0) if own is None else own)


def model_range(sampler: Any) -> SigmaRange:
    """The loaded model's noise range, by a host sampler object."""
    table = sampler.model_wrap.sigmas
    return sigma_range(sampler.model_wrap, float(table[0]), float(table[-1]))


def noise_sampler(sampler: Any, x: Tensor, sigmas: Tensor, p: Any) -> Callable[..., Tensor]:
    """The noise that the host gives to this sampler; each image's depends on its own seed alone."""
    if sampler.config.options.get("brownian_noise", False):
        found = sampler.create_noise_sampler(x, sigmas.to(x.device), p)
        if found is not None:
            return found
    return lambda *_: p.rng.next()


def say(text: str, *, warning: bool = False) -> None:
    """Tell the log."""
    logging.getLogger(LOGGER_NAME).log(logging.WARNING if warning else logging.INFO, "%s", signed(text))


def signed(text: str) -> str:
    """A sentence for a place where everybody speaks, with our name where it does not begin with it."""
    return text if text.startswith("Sigmasmith") else f"Sigmasmith: {text}"


def show_log() -> None:
    """Let our own lines reach the console: hosts hide everything below warnings, and a schedule in use is none."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False


def labels() -> list[str]:
    """Our entries of the scheduler dropdown."""
    return list(LABELS.values())
