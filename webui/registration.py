"""Our entries in the host's lists of schedulers and samplers.

Lists that other extensions hold stay the same objects: entries are appended once and replaced in place when the
interface is reloaded. The maps beside them get both of an entry's keys, for other extensions rebuild them from the
lists, and hosts look up by either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

OPTIMAL, COSINE, ADAPTIVE = "sigmasmith_optimal", "sigmasmith_cosine", "sigmasmith_adaptive"
LABELS: Mapping[str, str] = {
    OPTIMAL: "Sigmasmith Optimal",
    COSINE: "Sigmasmith Cosine",
    ADAPTIVE: "Sigmasmith Adaptive",
}
# The fit runs as a sampler that no list shows.
FIT_SAMPLER = "Sigmasmith Fit"


@dataclass(frozen=True)
class SamplerEntry:
    """A sampler for the dropdown.

    Args:
        label: must not end in a space and the name of a scheduler: hosts would take it apart there.
        function: k-diffusion's signature.
        options: the host's per-sampler options, such as second_order.
        hidden: resolvable by name, but in no list.
    """

    label: str
    function: Callable[..., Tensor]
    options: Mapping[str, Any]
    hidden: bool = False


def scheduler_name(chosen: str | None) -> str | None:
    """Our name for a scheduler's name or label, None for anybody else's."""
    for name, label in LABELS.items():
        if chosen in (name, label):
            return name
    return None


def label_of(sd_schedulers: Any, chosen: str) -> str:
    """The label of a scheduler given by its name or label; what the host does not know stays as it is."""
    entry = sd_schedulers.schedulers_map.get(chosen)
    return chosen if entry is None else entry.label


def register_schedulers(
    sd_schedulers: Any, functions: Mapping[str, Callable[..., Tensor]], hidden: Collection[str] = ()
) -> None:
    """Add our schedulers to the host's list and map.

    Args:
        sd_schedulers: the host's module: Scheduler, schedulers, schedulers_map; in Neo also all_schedulers, which its
            setting to hide some is made of.
        functions: our name -> function with keywords n, sigma_min, sigma_max, inner_model, device.
        hidden: labels that the person wants in no dropdown; infotexts and the HTTP API still find them.
    """
    for name, label in LABELS.items():
        # Keywords only: forks have inserted fields.
        entry = sd_schedulers.Scheduler(name=name, label=label, function=functions[name], need_inner_model=True)
        for entries in (getattr(sd_schedulers, "all_schedulers", None), sd_schedulers.schedulers):
            if entries is not None and not (entries is sd_schedulers.schedulers and label in hidden):
                _put(entries, entry, name, label)
        sd_schedulers.schedulers_map[name] = entry
        sd_schedulers.schedulers_map[label] = entry


def register_samplers(
    sd_samplers: Any,
    entries: list[SamplerEntry],
    make_data: Callable[..., Any],
    make_sampler: Callable[[Callable[..., Tensor], Any], Any],
) -> None:
    """Add samplers to the host's list and map.

    Args:
        sd_samplers: the host's module: all_samplers, all_samplers_map, set_samplers.
        make_data: the host's SamplerData(name, constructor, aliases, options).
        make_sampler: (function, model) -> the host's KDiffusionSampler.
    """
    for entry in entries:
        data = make_data(entry.label, partial(make_sampler, entry.function), [], dict(entry.options))
        if not entry.hidden:
            _put(sd_samplers.all_samplers, data, entry.label)
        sd_samplers.all_samplers_map[entry.label] = data
    sd_samplers.set_samplers()


def clear_caches(*modules: Any) -> None:
    """Forget what the host's cached look-ups answered before our names were known."""
    for module in modules:
        clear = getattr(getattr(module, "get_sampler_and_scheduler", None), "cache_clear", None)
        if clear is not None:
            clear()


def taken_apart(label: str, schedulers: list[Any]) -> str | None:
    """The scheduler's word at which a host would cut a sampler's name in two, or None.

    Hosts read old infotexts in which "Sampler: Euler a Karras" named both; reForge ignores case in doing so.
    """
    for entry in schedulers:
        for word in (entry.label, entry.name, *(entry.aliases or [])):
            if label.lower().endswith(" " + word.lower()):
                return word
    return None


def _put(entries: list[Any], entry: Any, *keys: str) -> None:
    """Append, or replace an entry of ours from before a reload; the list stays the same object."""
    for at, known in enumerate(entries):
        if known.name in keys or getattr(known, "label", None) in keys:
            entries[at] = entry
            return
    entries.append(entry)
