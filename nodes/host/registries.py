"""ComfyUI as plain values: registries, folders, samplers, schedules, messages. Only `host/` imports the host."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import folder_paths
from torch import Tensor

from .. import LOGGER_NAME
from ..registration import SCHEDULER_NAMES

if TYPE_CHECKING:
    from ...schedules.core.noise_space import SigmaRange

FOLDER_KEY = "sigmasmith"
SUFFIX = ".safetensors"
# They are given sigma_min and sigma_max only and choose the levels between themselves.
IGNORES_SCHEDULE = ("dpm_fast", "dpm_adaptive", "sigmasmith_adaptive")
# It replaces all of the noise in every step: with more steps it comes to no end that a fit could aim at.
RENEWS_NOISE = ("lcm",)


def add_preset_folder() -> None:
    """Make models/sigmasmith known to the host; extra_model_paths.yaml may add more folders under the same key."""
    folder_paths.add_model_folder_path(FOLDER_KEY, os.path.join(folder_paths.models_dir, FOLDER_KEY))
    folder_paths.folder_names_and_paths[FOLDER_KEY][1].add(SUFFIX)


def preset_folders() -> list[Path]:
    """Where presets lie; the first is written to."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(FOLDER_KEY)]


def preset_folder() -> Path:
    """Where presets are written."""
    return preset_folders()[0]


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    from ...schedules.presets.folder import preset_files

    return sorted(preset_files(preset_folders()))


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
    from ...schedules.core.noise_space import SigmaRange

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
    if name in RENEWS_NOISE:
        raise ValueError(
            f"sampler_name: {name} replaces all of the noise in every step, so there is no result with many steps to "
            "fit it to; fit for euler or dpmpp_2m and use that schedule with it"
        )
    return name


def host_baselines(model: Any, sampler: str, steps: tuple[int, ...]) -> Mapping[str, Callable[[int], Tensor]]:
    """The schedules that this host offers for the model: its dropdown, other packs' entries, and its fixed lists.

    As the KSampler would run them with this sampler. What cannot be brought to the contract of a sigma list at the
    asked step counts is left out.
    """
    from ...schedules.hosting.lists import usable

    sampling = model_sampling_of(model)
    found: dict[str, Callable[[int], Tensor]] = {}
    for name in comfy.samplers.SCHEDULER_NAMES:
        if name not in SCHEDULER_NAMES:
            found[name] = dropdown_schedule(sampling, name, drops_penultimate(sampler))
    found |= published_lists(model)
    return usable(found, steps, logging.getLogger(LOGGER_NAME))


def dropdown_names() -> list[str]:
    """The list object of the host's scheduler dropdown, ours and other packs' entries included."""
    return comfy.samplers.SCHEDULER_NAMES


def published_lists(model: Any) -> dict[str, Callable[[int], Tensor]]:
    """Name -> steps -> sigmas: the fixed lists that the host has nodes for, where they suit the model's noise range."""
    from ...schedules.hosts.schedules import host_schedules

    try:
        table = model_sampling_of(model).sigmas.detach().cpu().double().numpy()
        lists = host_schedules(sigma_range_of(model), table, webui=False)
    except (AttributeError, ValueError):  # a table unlike any the published lists were made for
        return {}
    return {name: made for name, made in lists.items() if name.startswith(("ays_", "gits", "oss_"))}


def dropdown_schedule(sampling: Any, name: str, drops: bool) -> Callable[[int], Tensor]:
    """steps -> sigmas of a dropdown entry as the KSampler runs them; `drops` as drops_penultimate says it."""
    from ...schedules.hosting.lists import as_run

    return lambda steps: as_run(comfy.samplers.calculate_sigmas(sampling, name, steps + drops), steps, drops)


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
