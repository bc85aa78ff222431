"""The JSON text of a preset: everything but its tensors. Canonical when written, strict when read."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Mapping, Set
from typing import Any

from torch import Tensor

from .checks import PresetError, check_mapping, shown
from .identity import ModelIdentity
from .made import HowMade
from .preset import Preset
from .version_1 import with_facts_of_notes

FORMAT = "sigmasmith-preset"
VERSION = 2

_STEPS = re.compile(r"[1-9][0-9]{0,4}")
_TENSORS = {"schedules", "coefficients"}
_BY_STEPS = {"origin", "errors"}


def canonical_json(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def strict_json(text: str, what: str) -> Any:
    """Parsed JSON, or PresetError: no key twice, no NaN or Infinity, no endless numbers, no bottomless nesting."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        parsed = dict(items)
        if len(parsed) != len(items):
            counts = Counter(key for key, _ in items)
            raise PresetError(f"{what} holds the key {shown(counts.most_common(1)[0][0])} twice")
        return parsed

    def constant(name: str) -> Any:
        raise PresetError(f"{what} holds {name}, which is no JSON number")

    def whole(digits: str) -> int:
        if len(digits) > 20:
            raise PresetError(f"{what} holds a number of {len(digits)} digits")
        return int(digits)

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=whole)
    except RecursionError as error:
        raise PresetError(f"{what} is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise PresetError(f"{what} is not valid JSON: {error.msg} at character {error.pos}") from error


def preset_json(preset: Preset) -> str:
    """The metadata text of a preset."""
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    for field in dataclasses.fields(Preset):
        if field.name not in _TENSORS:
            content[field.name] = getattr(preset, field.name)
    if preset.denoise == 1.0:
        del content["denoise"]  # files of whole runs stay what they were before there were others
    content["model"] = dataclasses.asdict(preset.model)
    content["made"] = preset.made.to_json()
    if not content["made"]:  # a file that holds none of the new facts is read by every Sigmasmith
        content["version"] = 1
        del content["made"]
    for name in _BY_STEPS:
        content[name] = {str(steps): value for steps, value in content[name].items()}
    return canonical_json(content)


def parse_preset_json(text: str) -> dict[str, Any]:
    """The content of a metadata text of the version that this code knows; its values are checked by `Preset`."""
    content = strict_json(text, "metadata sigmasmith")
    if not isinstance(content, dict):
        raise PresetError("metadata sigmasmith must be a JSON object")
    if content.get("format") != FORMAT:
        raise PresetError(f"format must be {FORMAT}, got {shown(content.get('format'))}")
    version = content.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise PresetError(f"version must be a whole number from 1, got {shown(version)}")
    if version > VERSION:
        raise PresetError(
            f"the preset has format version {version}, this Sigmasmith knows versions up to {VERSION}; update it"
        )
    del content["format"], content["version"]
    _check_keys("the preset", Preset, content, _TENSORS | ({"made"} if version == 1 else set()))
    _check_keys("model", ModelIdentity, check_mapping("model", content["model"], 64))
    return content if version == 1 else {"made": {}} | content


def preset_from_content(
    content: Mapping[str, Any], schedules: Mapping[int, Tensor], coefficients: Mapping[int, Tensor]
) -> Preset:
    """The preset of a parsed metadata text and of its tensors, by step count."""
    fields = dict(content)
    fields["model"] = ModelIdentity(**fields["model"])
    for name in _BY_STEPS & fields.keys():
        fields[name] = {_steps(name, key): value for key, value in check_mapping(name, fields[name], 64).items()}
    if "made" not in fields:  # version 1
        return with_facts_of_notes(Preset(**fields, schedules=schedules, coefficients=coefficients))
    fields["made"] = HowMade.from_json(fields["made"])
    return Preset(**fields, schedules=schedules, coefficients=coefficients)


def _check_keys(what: str, kind: type[Any], content: Mapping[str, Any], without: Set[str] = frozenset()) -> None:
    fields = [field for field in dataclasses.fields(kind) if field.name not in without]
    known = {field.name for field in fields}
    for key in content:
        if key not in known:
            raise PresetError(f"{what} holds the unknown key {shown(key)}")
    for field in fields:
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in content:
            raise PresetError(f"{what} lacks the key {field.name}")


def _steps(name: str, key: str) -> int:
    if not _STEPS.fullmatch(key):
        raise PresetError(f"{name} must be keyed by step counts, got {shown(key)}")
    return int(key)
