"""Our samplers in the host's sampler dropdown: a table of names and of what loads the function at its first run.

A dropdown passes no settings, so every function here works with its defaults; nodes give out the same samplers with
settings. Names are added once and never replace another's.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from typing import Any

from torch import Tensor

from ..schedules.core.types import SamplerFunction

MULTISTEP = "sigmasmith_multistep"


def _adaptive() -> SamplerFunction:
    from .host.adaptive import sample_by_steps

    return sample_by_steps


def _multistep() -> SamplerFunction:
    from .host.multistep import sample_by_model

    return sample_by_model


def _ddim() -> SamplerFunction:
    from .host.variance import sample_ddim_by_name

    return sample_ddim_by_name


def _weighted() -> SamplerFunction:
    from ..schedules.feedback.capped import sample_capped_2m

    return sample_capped_2m


SAMPLERS: dict[str, Callable[[], SamplerFunction]] = {
    "sigmasmith_adaptive": _adaptive,
    "sigmasmith_2m_weighted": _weighted,
    MULTISTEP: _multistep,
    "sigmasmith_ddim": _ddim,
}


def register_samplers(functions: Any, name_lists: list[MutableSequence[str]]) -> None:
    """Append our names once, in place: the lists that other packs hold stay the same objects.

    Args:
        functions: the host's module of samplers, where it looks for `sample_<name>`.
        name_lists: the host's lists of names, and the dropdown's where another pack has rebound it.
    """
    for name in SAMPLERS:
        if not hasattr(functions, f"sample_{name}"):
            setattr(functions, f"sample_{name}", dropdown_sampler(name))
        for names in name_lists:
            if name not in names:
                names.append(name)


def dropdown_sampler(name: str) -> SamplerFunction:
    """The function behind a name; its code is loaded when it first runs."""

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        return SAMPLERS[name]()(model, x, sigmas, extra_args=extra_args, callback=callback, disable=disable)

    sample.__name__ = sample.__qualname__ = f"sample_{name}"
    return sample
