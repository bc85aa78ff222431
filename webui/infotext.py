"""The lines about a schedule in an image's infotext, and a pasted one read back. Nothing pasted is ever evaluated.

    Sigmasmith preset: name (hash)          or: family, cosine
    Sigmasmith sigmas: sigmasmith1:...      the list the host was given, as a share code; hires pass under its own key
    Sigmasmith denoise: noise level         only where it is not the host's slicing
    Sigmasmith compared: schedule           of a picture that a comparison shows
    Sigmasmith guidance: interval 0.2 to 0.9

A share code is exact: the same steps and denoising strength cut the same sigmas out of it, bit for bit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..schedules.hosting.preset_store import PresetStore
from ..schedules.presets.checks import PresetError
from ..schedules.presets.identity import ModelIdentity
from ..schedules.presets.preset import DenoiseMode, Preset
from ..schedules.presets.share_code import from_share_code, to_share_code
from .answers import ScheduleAnswer
from .state import CODE, MATCH, NONE

PRESET, SIGMAS, HIRES_SIGMAS, DENOISE, COMPARED, GUIDANCE = (
    "Sigmasmith preset",
    "Sigmasmith sigmas",
    "Sigmasmith hires sigmas",
    "Sigmasmith denoise",
    "Sigmasmith compared",
    "Sigmasmith guidance",
)
KEYS = (PRESET, SIGMAS, HIRES_SIGMAS, DENOISE, COMPARED, GUIDANCE)
NOISE_LEVEL, FALLBACK = "noise level", "family"
_NAMED = re.compile(r"(.{0,250}) \(([0-9a-f]{8,64})\)")


def written(result: ScheduleAnswer, identity: ModelIdentity, *, hires: bool, mode: DenoiseMode) -> dict[str, str]:
    """Key -> text for one sampling pass."""
    preset = result.preset
    if preset is not None:
        named = f"{preset.name or 'pasted'} ({preset.short_hash})"
    else:
        named = FALLBACK if result.fallback else "cosine"
    steps = len(result.sigmas) - 1
    # Of the sigmas alone: what they were fitted to stands in the preset itself.
    bare = replace(identity, checkpoint=None, checkpoint_hash=None, table_hash=None, patches=None, loras=())
    top = max(bare.sigma_max, float(result.sigmas[0]))
    if preset is not None:  # its hash holds its own table's end, which is not every host's
        bare = replace(bare, sigma_min=preset.model.sigma_min)
    given = Preset(
        schedules={steps: result.sigmas},
        sampler=preset.sampler if preset else "",
        model=replace(bare, sigma_max=top, parameters=None),
        guidance=preset.guidance if preset else None,
        name=preset.name if preset else "",
    )
    texts = {PRESET: named}
    with suppress(PresetError):  # thousands of steps are too long for a code; the image is made without its list
        texts[HIRES_SIGMAS if hires else SIGMAS] = to_share_code(given)
    return texts | ({DENOISE: NOISE_LEVEL} if mode == "noise_level" else {})


@dataclass(frozen=True)
class Pasted:
    """The panel's state as a pasted infotext asks for it.

    Attributes:
        choice: for the preset dropdown.
        code: for the share code.
        mode: what denoise below 1 means.
        message: in words, "" where there is nothing to say.
    """

    choice: str = MATCH
    code: str = ""
    mode: DenoiseMode = "steps"
    message: str = ""


def pasted(params: Mapping[str, Any], store: PresetStore) -> Pasted | None:
    """The panel's state for a pasted infotext, None where it speaks of no preset of ours."""
    named = params.get(PRESET)
    if not isinstance(named, str):
        return None
    mode: DenoiseMode = "noise_level" if params.get(DENOISE) == NOISE_LEVEL else "steps"
    match = _NAMED.fullmatch(named.strip())
    if match is None:  # a preset fitted since then must not take the place of the image's curve
        return Pasted(NONE if named == FALLBACK else MATCH, mode=mode)
    name, digest = match.groups()
    here = store.by_hash(digest)
    if here is not None:
        said = "" if here == name else f"The image's preset {name} is called {here} here."
        return Pasted(here, mode=mode, message=said)
    gone = f"The image's preset {name} ({digest}) is not in the folder"
    if name in store.names():
        gone += "; the one of this name holds other sigmas"
    try:
        code = _merged(params)
    except PresetError as error:
        return Pasted(mode=mode, message=f"{gone}, and its sigmas cannot be read: {error}.")
    if code is None:
        return Pasted(mode=mode, message=f"{gone}, and the infotext holds no sigmas.")
    counts = ", ".join(str(count) for count in from_share_code(code).schedules)
    said = f"{gone}. Its sigmas are in the share code: exact for {counts} steps, interpolated for others."
    return Pasted(CODE, code, mode, said)


def _merged(params: Mapping[str, Any]) -> str | None:
    """One share code of the first pass and the hires pass."""
    codes = [params[key] for key in (SIGMAS, HIRES_SIGMAS) if isinstance(params.get(key), str)]
    presets = [from_share_code(code) for code in codes]
    if not presets:
        return None
    schedules = {steps: sigmas for preset in reversed(presets) for steps, sigmas in preset.schedules.items()}
    top = max(preset.model.sigma_max for preset in presets)
    model = replace(presets[0].model, sigma_max=top)
    return to_share_code(replace(presets[0], schedules=schedules, model=model))
