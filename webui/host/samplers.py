"""The host's samplers: what they are called, whether they follow schedulers, and their noise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from modules import sd_samplers, sd_samplers_kdiffusion, sd_schedulers, shared
from torch import Tensor

from ...schedules.samplers.fitted import NAME
from ..registration import label_of
from ..samplers import MULTISTEP, own_sampler

# Its repeats follow Karras, and from 20 steps on so does the rest.
_OWN_TABLE = {"restart_sampler"}
# Their noise cannot be turned off, so no noise-free reference says how good a schedule is for them.
_ALWAYS_NOISY = {"ddpm", "lcm"}


def sampler_config(label: str | None) -> Any:
    """The host's data of a sampler, or None."""
    return sd_samplers.find_sampler_config(label) if label else None


def scheduler_of(chosen: str | None, config: Any) -> str:
    """The label of the scheduler that runs for a choice: with Automatic, of the one that the sampler asks for."""
    own = config.options.get("scheduler") if chosen in (None, "", "Automatic") and config is not None else None
    return label_of(sd_schedulers, own or chosen or "Automatic")


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
    if label == MULTISTEP:
        return NAME
    for table in ("samplers_k_diffusion", "additional_samplers"):
        for name, function, _, options in getattr(sd_samplers_kdiffusion, table, ()):
            if name == label:
                full = function if isinstance(function, str) else getattr(function, "__name__", "")
                return full.removeprefix("sample_") + ("_heun" if options.get("solver_type") == "heun" else "")
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


def samplers_with_schedules() -> list[str]:
    """Names of all samplers that do."""
    return [entry.name for entry in sd_samplers.all_samplers if not ignores_schedulers(entry.name)]


def named_by_function(names: Sequence[str]) -> list[str]:
    """Names in the dropdown of samplers, by k-diffusion's names of their functions; those that are missing left out."""
    known = {known_function(name): name for name in reversed(samplers_with_schedules())}
    return [known[name] for name in names if name in known]


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
    own, why = own_sampler(label), ignores_schedulers(label)
    if own is not None and label != MULTISTEP and why is None:
        raise ValueError(
            f"Sampling method: {label} adds noise of its own, and a fit compares with a result without any; fit for "
            "Euler or DPM++ 2M, and use that schedule with it"
        )
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
    return float(getattr(shared.opts, "eta_ancestral", 1.0) if own is None else own)


def noise_sampler(sampler: Any, x: Tensor, sigmas: Tensor, p: Any) -> Callable[..., Tensor]:
    """The noise that the host gives to this sampler; each image's depends on its own seed alone."""
    if sampler.config.options.get("brownian_noise", False):
        brownian = sampler.create_noise_sampler(x, sigmas.to(x.device), p)
        if brownian is not None:
            return brownian
    return lambda *_: p.rng.next()
