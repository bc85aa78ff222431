"""Which model a preset was fitted to, and in words how another one differs from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from ..core.noise_space import SigmaRange
from ..core.words import Phrase
from .checks import (
    PresetError,
    check_bare_name,
    check_digest,
    check_flag,
    check_list,
    check_number,
    check_whole,
    shown,
)

Prediction = Literal["eps", "v", "x0", "edm", "flow"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)

# Ends of one sigma table as different hosts print them (14.615, 14.6146, 14.61464) agree to this.
_RANGE_TOLERANCE = 1e-3


def bare_name(path: str) -> str:
    """The last part of a path of any system: the only part of it that a preset may hold."""
    return re.split(r"[\\/]", path)[-1]


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    """Everything known of a model. None (family and loras: empty) means not known, and is never compared.

    Args:
        family: the architecture, such as "SD15", "SDXL", "Flux".
        prediction: what the network predicts.
        sigma_min, sigma_max: ends of its noise levels; kept in float32, the precision of the hosts' tables.
        flow: True for CONST / rectified-flow models.
        table_hash: sha256 of the float32 little-endian sigma table, 64 hex digits.
        shift: timestep shift of a flow model.
        parameters: number of parameters.
        checkpoint, checkpoint_hash: bare file name, hex digest of the file.
        patches: hex digest of weight patches, their strengths, a guidance curve and all else that nodes have put on the
            model; "" for a model known to have none.
        loras: bare file names.
    Raises:
        PresetError: names the field.
    """

    family: str = ""
    prediction: Prediction | None = None
    sigma_min: float
    sigma_max: float
    flow: bool
    table_hash: str | None = None
    shift: float | None = None
    parameters: int | None = None
    checkpoint: str | None = None
    checkpoint_hash: str | None = None
    patches: str | None = None
    loras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.family != "":
            check_bare_name("model.family", self.family)
        if self.prediction is not None and self.prediction not in PREDICTIONS:
            raise PresetError(f"model.prediction must be one of {', '.join(PREDICTIONS)}, got {shown(self.prediction)}")
        check_flag("model.flow", self.flow)
        for end in ("sigma_min", "sigma_max"):
            with np.errstate(over="ignore", under="ignore"):
                rounded = float(np.float32(check_number(f"model.{end}", getattr(self, end))))
            object.__setattr__(self, end, rounded)
        try:
            object.__setattr__(self, "sigma_max", self.sigma_range.sigma_max)
        except ValueError as error:
            raise PresetError(f"model: {error}") from error
        if self.table_hash is not None and len(check_digest("model.table_hash", self.table_hash)) != 64:
            raise PresetError("model.table_hash must be a sha256 of 64 hex digits")
        if self.shift is not None:
            object.__setattr__(self, "shift", check_number("model.shift", self.shift, above=0.0))
        if self.parameters is not None:
            object.__setattr__(self, "parameters", check_whole("model.parameters", self.parameters, 1, 10**15))
        if self.checkpoint is not None:
            check_bare_name("model.checkpoint", self.checkpoint)
        if self.checkpoint_hash is not None:
            check_digest("model.checkpoint_hash", self.checkpoint_hash)
        if self.patches is not None and self.patches != "":
            check_digest("model.patches", self.patches)
        loras = check_list("model.loras", self.loras, 256)
        object.__setattr__(self, "loras", tuple(check_bare_name("model.loras", lora) for lora in loras))

    @property
    def sigma_range(self) -> SigmaRange:
        return SigmaRange(self.sigma_min, self.sigma_max, flow=self.flow)

    @cached_property
    def noise_only(self) -> ModelIdentity:
        """The same without what tells weights apart: two with equal ones can run each other's sigmas."""
        return replace(self, parameters=None, checkpoint=None, checkpoint_hash=None, patches=None, loras=())

    def differences(self, running: ModelIdentity) -> list[str]:
        """One sentence for each thing in which `running` differs from this model, the gravest first.

        Of two models of different families only what makes a schedule wrong is named; that their files differ is
        then no news.
        """
        said: list[str] = []
        other_family = bool(self.family and running.family and self.family != running.family)
        if other_family:
            said.append(
                Phrase("Fitted for a {fitted} model, this is {running}.", fitted=self.family, running=running.family)
            )
        said += self._other_noise(running)
        return said if other_family else said + self._other_weights(running)

    def _other_noise(self, running: ModelIdentity) -> list[str]:
        if self.flow != running.flow:
            kinds = {True: Phrase("a flow model (sigmas from 0 to 1)"), False: Phrase("a noise-prediction model")}
            fitted, other = kinds[self.flow], kinds[running.flow]
            return [
                Phrase("Fitted for {fitted}, this is {running}; the sigmas do not fit.", fitted=fitted, running=other)
            ]
        said: list[str] = []
        if self.prediction and running.prediction and self.prediction != running.prediction:
            said.append(
                Phrase(
                    "Fitted for {fitted} prediction, this model uses {running}.",
                    fitted=self.prediction,
                    running=running.prediction,
                )
            )
        if self.table_hash is not None and self.table_hash == running.table_hash:
            return said
        if self.shift and running.shift and not math.isclose(self.shift, running.shift, rel_tol=_RANGE_TOLERANCE):
            shifts = {"fitted": f"{self.shift:g}", "running": f"{running.shift:g}"}
            return [*said, Phrase("Fitted for shift {fitted}, this model has {running}.", **shifts)]
        ends = [(self.sigma_min, running.sigma_min), (self.sigma_max, running.sigma_max)]
        if not all(math.isclose(*pair, rel_tol=_RANGE_TOLERANCE) for pair in ends):
            said.append(
                Phrase(
                    "Fitted for sigmas from {low} to {high}, this model has {running_low} to {running_high}.",
                    low=f"{self.sigma_min:.4g}",
                    high=f"{self.sigma_max:.4g}",
                    running_low=f"{running.sigma_min:.4g}",
                    running_high=f"{running.sigma_max:.4g}",
                )
            )
        elif self.table_hash is not None and running.table_hash is not None:
            said.append(Phrase("This model's table of noise levels differs from the fitted one between the same ends."))
        return said

    def _other_weights(self, running: ModelIdentity) -> list[str]:
        said: list[str] = []
        if self.parameters and running.parameters and self.parameters != running.parameters:
            counts = {"fitted": f"{self.parameters:,}", "running": f"{running.parameters:,}"}
            said.append(Phrase("Fitted for a model of {fitted} parameters, this one has {running}.", **counts))
        same_file = same_digest(self.checkpoint_hash, running.checkpoint_hash)
        same_name = self.checkpoint == running.checkpoint
        if same_file is False and same_name and self.checkpoint is not None:
            said.append(
                Phrase("The checkpoint {name} has the fitted one's name but another content.", name=self.checkpoint)
            )
        elif same_file is False and None in (self.checkpoint, running.checkpoint):
            said.append(Phrase("Fitted for another checkpoint (its hash differs)."))
        elif same_file is not True and not same_name and self.checkpoint and running.checkpoint:
            names = {"fitted": self.checkpoint, "running": running.checkpoint}
            said.append(Phrase("Fitted for checkpoint {fitted}, this is {running}.", **names))
        return said + self.other_patches(running)

    def other_patches(self, running: ModelIdentity) -> list[str]:
        """At most one sentence: how the patches of `running` differ."""
        known = self.patches is not None and running.patches is not None
        if (known and self.patches == running.patches) or (not known and not (self.loras and running.loras)):
            return []
        patches = {"fitted": self._patches_in_words(), "running": running._patches_in_words()}
        if set(self.loras) != set(running.loras):
            return [Phrase("Fitted with {fitted}, this model runs with {running}.", **patches)]
        if not known:
            return []
        if self.loras:
            loras = ", ".join(self.loras)
            return [Phrase("Fitted with other strengths or other patches beside LoRA {loras}.", loras=loras)]
        if self.patches and running.patches:
            return [Phrase("Fitted with other weight patches, guidance curve or changes than this model runs with.")]
        return [Phrase("Fitted with {fitted}, this model runs with {running}.", **patches)]

    def _patches_in_words(self) -> Phrase:
        if self.loras:
            return Phrase("LoRA {loras}", loras=", ".join(self.loras))
        if self.patches:
            return Phrase("weight patches, a guidance curve or other changes")
        return Phrase("no LoRA or patch")


def same_digest(left: str | None, right: str | None) -> bool | None:
    """Whether two digests agree, one of them perhaps shortened; None where one is not known."""
    if left is None or right is None:
        return None
    length = min(len(left), len(right))
    return left[:length] == right[:length]
