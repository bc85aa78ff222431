"""Our samplers in the host's dropdown: a table of core functions, their options in the panel, and the host's noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .registration import FIT_SAMPLER, SamplerEntry


@dataclass(frozen=True)
class Option:
    """A number in the panel.

    Args:
        key: unique among all samplers.
        label, help: what the person reads.
        default, minimum, maximum, step: of the slider.
    """

    key: str
    label: str
    default: float
    minimum: float
    maximum: float
    step: float
    help: str


@dataclass(frozen=True)
class OwnSampler:
    """One of our samplers.

    Args:
        label: in the dropdown.
        run: called with (model, x, sigmas, extra_args, callback, disable, options by key).
        options: in the panel.
        calls: model calls per step that the host's bar should expect.
    """

    label: str
    run: Callable[..., Tensor]
    options: tuple[Option, ...] = ()
    calls: int = 1


OWN_SAMPLERS: tuple[OwnSampler, ...] = ()


def options() -> list[Option]:
    """The options of all samplers in the order of the panel; a key that several share appears once."""
    found = {option.key: option for sampler in OWN_SAMPLERS for option in sampler.options}
    return list(found.values())


def entries() -> list[SamplerEntry]:
    """Our samplers for the host's list, and the one that fits."""
    from .fitting import sample_sigmasmith_fit  # the table is read without a host, too

    own = [SamplerEntry(one.label, _as_host_calls(one), {"second_order": one.calls > 1}) for one in OWN_SAMPLERS]
    return [*own, SamplerEntry(FIT_SAMPLER, sample_sigmasmith_fit, {}, hidden=True)]


def _as_host_calls(sampler: OwnSampler) -> Callable[..., Tensor]:
    """The sampler with k-diffusion's signature and nothing more: hosts fill further parameters by their names."""

    def sample(
        model: Any, x: Tensor, sigmas: Tensor, extra_args: Any = None, callback: Any = None, disable: Any = None
    ) -> Tensor:
        from .state import current_pass

        found = current_pass()
        given = dict(found[0].choice.options) if found else {}
        known = {option.key: given.get(option.key, option.default) for option in sampler.options}
        return sampler.run(model, x, sigmas, extra_args, callback, disable, known)

    sample.__name__ = "sample_" + sampler.label.lower().replace(" ", "_")
    return sample
