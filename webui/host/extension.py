"""How an extension gives itself to the host: a script class, entries in its lists, callbacks, settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modules import (
    extra_networks,
    script_callbacks,
    scripts,
    sd_samplers,
    sd_samplers_common,
    sd_samplers_kdiffusion,
    sd_schedulers,
    shared,
)
from torch import Tensor

from ..registration import SamplerEntry, clear_caches, register_samplers, register_schedulers
from .folders import add_settings


class AlwaysVisibleScript(scripts.Script):
    """The host's script of an extension that shows in both tabs; one object per tab."""

    def title(self) -> str:
        return "Sigmasmith"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible


def register_entries(functions: Mapping[str, Callable[..., Tensor]], samplers: list[SamplerEntry]) -> None:
    """Add our schedulers and samplers to the host's lists."""
    register_schedulers(sd_schedulers, functions, getattr(shared.opts, "hide_schedulers", None) or ())
    register_samplers(sd_samplers, samplers, sd_samplers_common.SamplerData, sd_samplers_kdiffusion.KDiffusionSampler)
    clear_caches(sd_samplers)


def register_axes(options: Callable[[Any], list[Any]]) -> None:
    """Add our axes to the host's XYZ grid, once its script is there; those of before a reload went with it.

    Args:
        options: the host's AxisOption -> axes.
    """
    grid = next((one.module for one in scripts.scripts_data if one.module.__name__ == "xyz_grid.py"), None)
    if grid is not None:
        own = options(grid.AxisOption)
        known = {option.label for option in grid.axis_options}
        grid.axis_options += [option for option in own if option.label not in known]


class GenerationNote(extra_networks.ExtraNetwork):
    """A network that loads nothing: the host tells every network of every generation, also where scripts are left out.

    Such are the generations of a detailer, which by its settings runs a few scripts alone.

    Args:
        note: called with the processing object before a batch is sampled.
    """

    def __init__(self, note: Callable[[Any], None]) -> None:
        super().__init__("sigmasmith")
        self._note = note

    def activate(self, p: Any, params_list: Any) -> None:
        self._note(p)

    def deactivate(self, p: Any) -> None:
        """Nothing was loaded."""


def register_callbacks(
    on_model_call: Callable[[Any], None], on_generation: Callable[[Any], None], options: Callable[[Any], list[Any]]
) -> None:
    """The host forgets its callbacks before it loads scripts again, so they are registered at every load."""

    def before_ui() -> None:
        register_axes(options)
        extra_networks.register_extra_network(GenerationNote(on_generation))

    script_callbacks.on_cfg_denoiser(on_model_call)
    script_callbacks.on_ui_settings(add_settings)
    script_callbacks.on_before_ui(before_ui)
