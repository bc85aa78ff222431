"""How the schedules of a preset were made: facts that programs read back, apart from notes that people rewrite."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.noise_space import SigmaRange
from ..core.words import Phrase, in_words
from .checks import (
    PresetError,
    check_bare_name,
    check_label,
    check_list,
    check_mapping,
    check_number,
    check_plain,
    shown,
)

PILOT = "pilot"

MAX_MORE = 64  # facts of later versions
MAX_CHOICE = 64
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
# A sentence in the notes of version 1 gives a boundary with four digits.
_SAME_BOUNDARY = 1e-3


@dataclass(frozen=True, kw_only=True)
class HowMade:
    """Facts on how the schedules of a preset were made. None of them changes what a run gets.

    Args:
        method: "pilot" (frozen from a pilot run), "oss", "family" (whose numbers are in `more`); "" for the ordinary
            fit, or where it is not known.
        chosen_among: names of the samplers that were compared, at least two; () where there was no choice.
        boundary: sigma from which upwards the first of two models runs; None for one model.
        models: checkpoint names of the two models, "" for one without a name; () where not known.
        guidance: how it was guided beside one CFG: "guider", its kind, the numbers it has, and "told", the guidance
            that a distilled model is told; empty for a plain CFG.
        on_model: names of nodes that changed the model's output beside its weights.
        more: facts of later versions, by their keys: numbers, texts and lists or mappings of these. They are kept.
    Raises:
        PresetError: names the field.
    """

    method: str = ""
    chosen_among: tuple[str, ...] = ()
    boundary: float | None = None
    models: tuple[str, ...] = ()
    guidance: Mapping[str, Any] = field(default_factory=dict)
    on_model: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_label("made.method", self.method)
        chosen_among = check_list("made.chosen_among", self.chosen_among, MAX_CHOICE)
        if len(chosen_among) == 1 or "" in chosen_among:
            raise PresetError("made.chosen_among must name at least two samplers")
        self._set("chosen_among", tuple(check_label("made.chosen_among", name) for name in chosen_among))
        if self.boundary is not None:
            self._set("boundary", check_number("made.boundary", self.boundary, above=0.0))
        models = check_list("made.models", self.models, 2)
        if models and (len(models) != 2 or self.boundary is None):
            raise PresetError("made.models must name the two models of a boundary")
        self._set("models", tuple("" if name == "" else check_bare_name("made.models", name) for name in models))
        guidance = check_mapping("made.guidance", self.guidance, MAX_MORE)
        self._set("guidance", {name: _checked_guidance(name, value) for name, value in guidance.items()})
        on_model = check_list("made.on_model", self.on_model, MAX_CHOICE)
        self._set("on_model", tuple(check_label("made.on_model", name) for name in on_model))
        more = check_mapping("made", self.more, MAX_MORE)
        self._set("more", {_checked_key(key): check_plain(f"made.{key}", more[key]) for key in more})

    @classmethod
    def from_json(cls, content: Any) -> HowMade:
        """The facts in the object `made` of a file; keys that this code does not know are kept in `more`."""
        given = check_mapping("made", content, MAX_MORE + len(_KNOWN))
        known = {name: given[name] for name in _KNOWN if name in given}
        if "boundary" in known and known["boundary"] is None:
            raise PresetError("made.boundary must be a number, got None")
        return cls(**known, more={key: value for key, value in given.items() if key not in _KNOWN})

    def to_json(self) -> dict[str, Any]:
        """The facts that are known, by their keys; empty where nothing is."""
        facts = {name: getattr(self, name) for name in _KNOWN}
        return {name: value for name, value in facts.items() if value not in ("", (), None, {})} | dict(self.more)

    def check_inside(self, sigma_range: SigmaRange) -> None:
        """PresetError where the boundary does not lie inside the model's noise range."""
        if self.boundary is not None and not sigma_range.sigma_min < self.boundary < sigma_range.sigma_max:
            raise PresetError(f"made.boundary must lie inside the model's noise levels, got {self.boundary:g}")

    def same_models(self, other: HowMade) -> bool:
        """Whether both speak of one model alone, or of the same two with the same boundary."""
        if self.boundary is None or other.boundary is None:
            return self.boundary is other.boundary
        return self.models == other.models and math.isclose(self.boundary, other.boundary, rel_tol=_SAME_BOUNDARY)

    @property
    def guider_in_words(self) -> str:
        """ "DualCFGGuider (cfg1 7, cfg2 3)", or "one CFG"."""
        numbers = [f"{name} {value:g}" for name, value in sorted(self.guider.items()) if name != "guider"]
        kind = self.guidance.get("guider") or Phrase("one CFG")
        return f"{kind} ({', '.join(numbers)})" if numbers else kind

    @property
    def guider(self) -> dict[str, Any]:
        """The guider's kind and numbers, without what the model is told."""
        return {name: value for name, value in self.guidance.items() if name != "told"}

    @property
    def models_in_words(self) -> str:
        """ "a from sigma 0.875 upwards, b below", or "one model alone"."""
        if self.boundary is None:
            return "one model alone"
        first, second = self.models or ("", "")
        return f"{first or 'the first'} from sigma {self.boundary:.4g} upwards, {second or 'the second'} below"

    def sentences(self) -> list[str]:
        """The facts as a report says them."""
        said = [f"Method: {self.method}."] if self.method else []
        if self.chosen_among:
            said.append(f"Chosen among {in_words(self.chosen_among)}.")
        if self.guider:
            said.append(f"Guided by {self.guider_in_words}.")
        if "told" in self.guidance:
            said.append(f"The model was told a guidance of {self.guidance['told']:g}.")
        if self.on_model:
            said.append(f"On the model: {in_words(self.on_model)}.")
        return said if self.boundary is None else [*said, f"Two models: {self.models_in_words}."]

    def beside(self, notes: str) -> str:
        """Notes of a person, after the facts that they do not say themselves."""
        lines = notes.splitlines()
        return "\n".join([*(said for said in self.sentences() if said not in lines), *lines])

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


_KNOWN = ("method", "chosen_among", "boundary", "models", "guidance", "on_model")


def _checked_guidance(name: Any, value: Any) -> Any:
    if not isinstance(name, str) or not _KEY.fullmatch(name.lower()):
        raise PresetError(f"made.guidance holds the key {shown(name)}; keys are up to 40 letters, digits and _")
    label = f"made.guidance.{name}"
    return check_label(label, value) if name == "guider" else check_number(label, value)


def _checked_key(key: Any) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key) or key in (*_KNOWN, "more"):
        raise PresetError(f"made holds the key {shown(key)}; keys are up to 40 lower-case letters, digits and _")
    return key
