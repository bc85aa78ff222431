"""ComfyUI as plain values: registries, folders, samplers, schedules, messages. Only `_host*.py` imports the host."""

from __future__ import annotations

import difflib
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import folder_paths
import torch
from torch import Tensor

from . import LOGGER_NAME
from .registration import SCHEDULER_NAMES

if TYPE_CHECKING:
    from ..schedules.noise_space import SigmaRange

FOLDER_KEY = "sigmasmith"
SUFFIX = ".safetensors"
# Their host functions are given sigma_min and sigma_max only and choose the levels between themselves.
IGNORES_SCHEDULE = ("dpm_fast", "dpm_adaptive")
# Their noise cannot be turned off, so no noise-free reference says how good a schedule is for them.
ALWAYS_NOISY = ("ddpm", "lcm")


def add_preset_folder() -> None:
    """Make models/sigmasmith known to the host; extra_model_paths.yaml may add more folders under the same key."""
    folder_paths.add_model_folder_path(FOLDER_KEY, os.path.join(folder_paths.models_dir, FOLDER_KEY))
    folder_paths.folder_names_and_paths[FOLDER_KEY][1].add(SUFFIX)


def preset_folder() -> Path:
    """Where presets are written."""
    return Path(folder_paths.get_folder_paths(FOLDER_KEY)[0])


def preset_names() -> list[str]:
    """Names of all presets the host finds, with `/` and without the suffix."""
    found = folder_paths.get_filename_list(FOLDER_KEY)
    return [name.replace(os.sep, "/").removesuffix(SUFFIX) for name in found]


def find_preset(name: str) -> Path | None:
    """File of a checked preset name in any of the folders."""
    path = folder_paths.get_full_path(FOLDER_KEY, name.replace("/", os.sep) + SUFFIX)
    return Path(path) if path else None


def unfinished_folder() -> Path:
    """Where records of unfinished fits are kept; the host wipes its temp folder at every start."""
    return Path(folder_paths.get_user_directory()) / "sigmasmith" / "unfinished"


def scheduler_registry() -> tuple[Any, ...]:
    """The arguments of registration.register_schedulers."""
    lists = [comfy.samplers.SCHEDULER_NAMES]
    if comfy.samplers.KSampler.SCHEDULERS is not comfy.samplers.SCHEDULER_NAMES:
        lists.append(comfy.samplers.KSampler.SCHEDULERS)  # another pack has rebound it
    return comfy.samplers.SCHEDULER_HANDLERS, lists, comfy.samplers.SchedulerHandler, drops_penultimate, is_flow


def drops_penultimate(sampler: str) -> bool:
    """Whether the host's KSampler asks for one step more and drops sigmas[-2] for this sampler."""
    return sampler in comfy.samplers.KSampler.DISCARD_PENULTIMATE_SIGMA_SAMPLERS


def is_flow(model_sampling: Any) -> bool:
    """Whether x = (1 - sigma) * x0 + sigma * noise."""
    return isinstance(model_sampling, comfy.model_sampling.CONST)


def model_sampling_of(model: Any) -> Any:
    """The model's noise levels, as patched by nodes before this one."""
    return model.get_model_object("model_sampling")


def sigma_range_of(model: Any) -> SigmaRange:
    """The model's noise range.

    Raises:
        ValueError: the model's own range makes no sense.
    """
    from ..schedules.noise_space import SigmaRange

    sampling = model_sampling_of(model)
    try:
        return SigmaRange(float(sampling.sigma_min), float(sampling.sigma_max), flow=is_flow(sampling))
    except ValueError as error:
        raise ValueError(f"model: its noise levels cannot be used: {error}") from error


def sampler_names() -> list[str]:
    """The list object of the host's sampler dropdown, other packs' samplers included."""
    return comfy.samplers.KSampler.SAMPLERS


def check_sampler(name: str) -> str:
    """A sampler that a schedule can be fitted for.

    Raises:
        ValueError: names the input `sampler_name`, with the nearest names where there is no such sampler.
    """
    if name not in sampler_names():
        near = difflib.get_close_matches(name, sampler_names(), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "see the list of the KSampler node"
        raise ValueError(f"sampler_name: this host has no sampler {name!r}; {hint}")
    if name in IGNORES_SCHEDULE:
        raise ValueError(f"sampler_name: {name} chooses its noise levels itself and ignores every schedule")
    if name in ALWAYS_NOISY:
        raise ValueError(
            f"sampler_name: {name} adds fresh noise in every step, so there is no noise-free result to fit it to; "
            "fit for euler or dpmpp_2m and use that schedule with it"
        )
    return name


# With eta 0 this function takes the root of a rounding error on flow models; without noise it is its twin.
_NOISELESS_TWIN = {"dpm_2_ancestral": "dpm_2"}


@dataclass(frozen=True)
class FitSampler:
    """A host sampler as the fit runs it: without its noise, under its dropdown name, and what to say about it."""

    function: Callable[..., Tensor]
    note: str = ""


def fit_sampler(name: str) -> FitSampler:
    """The host's own function for a sampler name."""
    twin = _NOISELESS_TWIN.get(check_sampler(name), name)
    sampler = comfy.samplers.sampler_object(twin)
    inner, options = sampler.sampler_function, dict(sampler.extra_options)
    quiet = _without_noise(name, inner)

    def sample(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, **_: Any) -> Tensor:
        # A copy: uni_pc writes its own last sigma into the list.
        given = {"extra_args": extra_args, "callback": callback, "disable": True}
        return inner(model, x, sigmas.clone(), **(given | options | quiet))

    # The fit knows samplers by k-diffusion's names; the host's ddim is euler's function, uni_pc's has another name.
    sample.__name__ = f"sample_{name}"
    note = f"{name} adds noise of its own; it was fitted without it (eta 0)." if quiet or twin != name else ""
    return FitSampler(sample, note)


def _without_noise(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Options that turn a stochastic sampler into its deterministic form."""
    known = inspect.signature(function).parameters
    if name.startswith("er_sde") and "noise_scaler" in known:
        return {"noise_scaler": lambda value: value, "s_noise": 0.0}
    if "tau_func" in known:
        return {"tau_func": lambda sigma: 0.0}
    if "eta" in known and known["eta"].default != 0.0:
        return {"eta": 0.0}
    return {}


def host_baselines(model: Any, sampler: str, steps: tuple[int, ...]) -> Mapping[str, Callable[[int], Tensor]]:
    """The schedules that this host offers for the model: its dropdown, other packs' entries, and its fixed lists.

    As the KSampler would run them with this sampler. What cannot be brought to the contract of a sigma list at the
    asked step counts is left out.
    """
    from ..schedules.optimal.baselines import host_schedules

    sampling, sigma_range = model_sampling_of(model), sigma_range_of(model)
    found: dict[str, Callable[[int], Tensor]] = {}
    for name in comfy.samplers.SCHEDULER_NAMES:
        if name not in SCHEDULER_NAMES:
            found[name] = _dropdown_schedule(sampling, name, drops_penultimate(sampler))
    try:
        table = sampling.sigmas.detach().cpu().double().numpy()
        lists = host_schedules(sigma_range, table, webui=False)
    except (AttributeError, ValueError):  # a table unlike any the published lists were made for
        lists = {}
    found |= {name: made for name, made in lists.items() if name.startswith(("ays_", "gits", "oss_"))}
    return {name: made for name, made in found.items() if _answers(name, made, steps)}


def _dropdown_schedule(sampling: Any, name: str, drops: bool) -> Callable[[int], Tensor]:
    def schedule(steps: int) -> Tensor:
        sigmas = comfy.samplers.calculate_sigmas(sampling, name, steps + drops).detach().cpu().float()
        if drops:
            sigmas = torch.cat([sigmas[:-2], sigmas[-1:]])
        return keep_contract(sigmas, steps)

    return schedule


def keep_contract(sigmas: Tensor, steps: int) -> Tensor:
    """A host's list with repeats removed and, where its length is not steps + 1, resampled.

    Raises:
        ValueError: it has no positive values, or too few to resample.
    """
    from ..schedules.sigmas import check_sigmas, finish_sigmas, resample_sigmas

    if len(sigmas) == steps + 1 and float(sigmas[-1]) == 0.0 and bool((sigmas[1:] < sigmas[:-1]).all()):
        return check_sigmas(sigmas)
    positive = sigmas[sigmas > 0.0].double()
    falling = torch.ones(len(positive), dtype=torch.bool)
    falling[1:] = positive[1:] < torch.cummin(positive, 0).values[:-1]
    return resample_sigmas(finish_sigmas(positive[falling].numpy()), steps)


def _answers(name: str, schedule: Callable[[int], Tensor], steps: tuple[int, ...]) -> bool:
    from ..schedules.preset_checks import check_label

    try:
        check_label("name", name)  # it goes into the preset's errors
        return all(len(schedule(count)) == count + 1 for count in steps)
    except Exception as error:  # another pack's function may raise anything
        logging.getLogger(LOGGER_NAME).info("Sigmasmith: the schedule %s is not compared: %s", name, error)
        return False


def say(text: str, node_id: Any = None, *, warning: bool = False) -> None:
    """Tell the log, and the page where there is one: below the node while it runs, and as an event for our script."""
    logging.getLogger(LOGGER_NAME).log(logging.WARNING if warning else logging.INFO, "Sigmasmith: %s", text)
    show(text, node_id)
    server = _server()
    if server is not None and node_id is not None:
        server.send_sync("sigmasmith.message", {"node": str(node_id), "text": text, "warning": warning})


def show(text: str, node_id: Any) -> None:
    """Put a line below the node on the page while it runs; the log is not told."""
    server = _server()
    if server is not None and node_id is not None and hasattr(server, "send_progress_text"):
        server.send_progress_text(text, str(node_id))


def prompt_id() -> Any:
    """Which queued prompt is running; a new object where there is no server, so that every run counts."""
    return getattr(_server(), "last_prompt_id", None) or object()


def _server() -> Any:
    try:
        from server import PromptServer
    except ImportError:  # in tests, without a server
        return None
    return getattr(PromptServer, "instance", None)


def stop_if_interrupted() -> None:
    """Raise the host's interrupt when the person has pressed the button."""
    comfy.model_management.throw_exception_if_processing_interrupted()
