"""The preset: the schedules of one fit, what they were fitted to, and how they did. See docs/preset-format.md."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from ..core.sigmas import (
    MAX_LIST,
    MAX_STEPS,
    check_denoise,
    check_steps,
    noise_level_start,
    runnable_sigmas,
    steps_after_truncation,
    steps_before_truncation,
)
from ..core.step_counts import StepCounts
from ..core.words import Phrase, counts_in_words, in_words, picture_size
from .checks import (
    MAX_TEXT,
    PresetError,
    check_coefficients,
    check_errors,
    check_flag,
    check_label,
    check_list,
    check_mapping,
    check_number,
    check_schedule,
    check_shape,
    check_text,
    check_whole,
    float32_bytes,
    shown,
)
from .identity import ModelIdentity
from .made import HowMade
from .names import check_name

DenoiseMode = Literal["steps", "noise_level"]

MAX_SCHEDULES = 64
FITTED = "fitted"


@dataclass(frozen=True, kw_only=True, eq=False)
class Preset:
    """Everything a preset file holds; a value of this class has passed every check.

    Args:
        schedules: steps -> sigma list (steps + 1,); copied, float32, CPU.
        sampler: the host's sampler name; "" where it does not matter or is not known.
        model: what the schedules were fitted to.
        guidance, latent_shape (without batch), dtype, effort: of the fit; None where not known.
        seeds: of the calibration noise.
        origin: steps -> "fitted", or the name of the host schedule that won there.
        errors: steps -> {schedule: held-out geometric-mean error}, the fitted one under "fitted".
        exact: a pasted list: never interpolated, only its own step counts.
        denoise: of the runs it was fitted for. Below 1 each list is int(steps / denoise) steps long, and its last
            `steps` were fitted, from images noised to the first of their sigmas.
        coefficients: steps -> (steps, 1 + order) float32, of the fitted multistep sampler; optional.
        made: facts on how the schedules were made.
        name, author, licence, notes: of the person; tool: name and version of the program that wrote it.
    Raises:
        PresetError: names the field.
    """

    schedules: Mapping[int, Tensor]
    sampler: str
    model: ModelIdentity
    guidance: float | None = None
    latent_shape: tuple[int, ...] | None = None
    dtype: str | None = None
    effort: str | None = None
    seeds: tuple[int, ...] = ()
    origin: Mapping[int, str] = field(default_factory=dict)
    errors: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    exact: bool = False
    denoise: float = 1.0
    coefficients: Mapping[int, Tensor] = field(default_factory=dict)
    made: HowMade = field(default_factory=HowMade)
    name: str = ""
    author: str = ""
    licence: str = ""
    notes: str = ""
    tool: str = ""

    def __post_init__(self) -> None:
        for label, kind in (("model", ModelIdentity), ("made", HowMade)):
            if not isinstance(getattr(self, label), kind):
                raise PresetError(f"{label} must be a {kind.__name__}, got {shown(getattr(self, label))}")
        self.made.check_inside(self.model.sigma_range)
        check_flag("exact", self.exact)
        for label in ("sampler", "author", "licence", "tool"):
            check_label(label, getattr(self, label))
        for label in ("dtype", "effort"):
            if getattr(self, label) is not None:
                check_label(label, getattr(self, label))
        check_text("notes", self.notes, MAX_TEXT, lines=True)
        if self.name != "":
            check_name(self.name)
        self._set("schedules", self._checked_schedules())
        try:
            self._set("denoise", check_denoise(self.denoise))
        except ValueError as error:
            raise PresetError(str(error)) from error
        self._set("guidance", None if self.guidance is None else check_number("guidance", self.guidance))
        self._set("seeds", tuple(check_whole("seeds", s, 0, 2**64 - 1) for s in check_list("seeds", self.seeds, 1_024)))
        if self.latent_shape is not None:
            self._set("latent_shape", check_shape("latent_shape", self.latent_shape))
        self._set("origin", self._by_steps("origin", lambda steps, value: check_label(f"origin.{steps}", value)))
        self._set("errors", self._by_steps("errors", lambda steps, value: check_errors(f"errors.{steps}", value)))
        self._set("coefficients", self._by_steps("coefficients", check_coefficients))

    @property
    def step_counts(self) -> StepCounts:
        return StepCounts(self.runnable, self.model.sigma_min)

    @cached_property
    def runnable(self) -> dict[int, Tensor]:
        """The schedules as runs get them: a file may hold levels that are one to every solver."""
        return {steps: runnable_sigmas(sigmas) for steps, sigmas in self.schedules.items()}

    @property
    def hash(self) -> str:
        """sha256 of all that decides the sigmas, and of nothing else: equal hashes always give equal sigmas."""
        model = self.model
        facts = {
            "exact": self.exact,
            "flow": model.flow,
            "sigma_max": model.sigma_max,
            "sigma_min": model.sigma_min,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode())
        for steps, sigmas in sorted(self.schedules.items()):
            digest.update(struct.pack("<H", steps) + float32_bytes(sigmas))
        return digest.hexdigest()

    @property
    def short_hash(self) -> str:
        return self.hash[:12]

    def is_fitted(self, steps: int, denoise: float = 1.0) -> bool:
        """Whether a run gets (the end of) a list that was fitted that far; otherwise `sigmas` interpolates (or, where
        exact, refuses), or the run also sees what a preset for changed images has before its fitted steps."""
        full = steps_before_truncation(steps, denoise)
        return full in self.schedules and steps <= self.running(full)

    def running(self, full: int) -> int:
        """Steps that were fitted of the list of `full` steps: all of them, or below denoise 1 its last ones."""
        return steps_after_truncation(full, self.denoise)

    @property
    def counts_in_words(self) -> str:
        """The step counts that it was fitted for: "1 step", "5, 8 steps" or "5, 8 steps at denoise 0.5"."""
        steps = counts_in_words([self.running(full) for full in self.schedules])
        if self.denoise == 1.0:
            return steps
        return Phrase("{counts} at denoise {denoise}", counts=steps, denoise=f"{self.denoise:g}")

    def sigmas(self, steps: int, denoise: float = 1.0, mode: DenoiseMode = "steps") -> Tensor:
        """The sigma list for a run of `steps` steps.

        Args:
            steps: solver intervals that will run.
            denoise: the host's 0..1 fraction.
            mode: below denoise 1, "steps" takes the tail of the schedule for int(steps / denoise) steps, as the
                hosts do; "noise_level" starts where the share of noise is `denoise`, whatever the step count.
        Returns:
            (steps + 1,) float32, CPU, ending in 0; a copy.
        Raises:
            ValueError: names the argument; of an exact preset, says which counts it has.
        """
        if mode not in ("steps", "noise_level"):
            raise ValueError(f"mode must be 'steps' or 'noise_level', got {mode!r}")
        steps, denoise = check_steps(steps, most=MAX_LIST), check_denoise(denoise)
        if self.exact:
            return self._exact_sigmas(steps, denoise, mode)
        if mode == "noise_level":
            return self.step_counts.from_sigma(steps, noise_level_start(denoise, self.model.sigma_range))
        return self.step_counts.truncated(steps, denoise)

    def differences(
        self,
        model: ModelIdentity | None = None,
        sampler: str | None = None,
        guidance: float | None = None,
        latent_shape: tuple[int, ...] | None = None,
        start_sigma: float | None = None,
    ) -> list[str]:
        """One plain sentence for each thing that is not as it was when the preset was fitted; unknown is not compared.

        Args:
            model, sampler, guidance, latent_shape (without batch), start_sigma: of the run; None where not known.
        """
        said = self.model.differences(model) if model is not None else []
        if self.sampler and sampler and sampler != self.sampler:
            names = {"fitted": self.sampler, "running": sampler}
            said.append(Phrase("Fitted for sampler {fitted}, this run uses {running}.", **names))
        fitted_at = self.guidance
        if guidance is not None and fitted_at is not None and not math.isclose(fitted_at, guidance, abs_tol=1e-9):
            numbers = {"fitted": f"{fitted_at:g}", "running": f"{guidance:g}"}
            said.append(Phrase("Fitted at guidance {fitted}, this run uses {running}.", **numbers))
        fitted_from = max(float(sigmas[-(self.running(full) + 1)]) for full, sigmas in self.schedules.items())
        if self.denoise < 1.0 and start_sigma is not None and start_sigma > 1.05 * fitted_from:
            said.append(
                Phrase(
                    "Fitted for changing images at denoise {denoise}, from sigma {fitted}; this run starts at "
                    "{running}.",
                    denoise=f"{self.denoise:g}",
                    fitted=f"{fitted_from:.4g}",
                    running=f"{start_sigma:.4g}",
                )
            )
        if self.latent_shape and latent_shape and tuple(latent_shape) != self.latent_shape:
            fitted, running = (picture_size(shape, self.model.family) for shape in (self.latent_shape, latent_shape))
            said.append(Phrase("Fitted at {fitted}, this run has {running}.", fitted=fitted, running=running))
        return said

    def made_otherwise(self, running: HowMade) -> list[str]:
        """One sentence for each thing beside model, guidance and sampler in which a run differs from the fit.

        Args:
            running: guidance and on_model of the run; the rest is not looked at.
        """
        fitted, said = self.made, []
        told = fitted.guidance.get("told"), running.guidance.get("told")
        if None not in told and told[0] != told[1]:
            numbers = {"fitted": f"{told[0]:g}", "running": f"{told[1]:g}"}
            said.append(
                Phrase("Fitted with the model told a guidance of {fitted}, this run tells it {running}.", **numbers)
            )
        if (self.guidance is not None or fitted.guider) and fitted.guider != running.guider:
            kinds = {"fitted": fitted.guider_in_words, "running": running.guider_in_words}
            said.append(Phrase("Fitted under {fitted}, this run uses {running}.", **kinds))
        if self.model.patches is not None and fitted.on_model != running.on_model:
            was, now = (in_words(names) or Phrase("nothing") for names in (fitted.on_model, running.on_model))
            said.append(
                Phrase(
                    "Fitted with {fitted} on the model beside its weights, this run has {running}.",
                    fitted=was,
                    running=now,
                )
            )
        return said

    def _exact_sigmas(self, steps: int, denoise: float, mode: DenoiseMode) -> Tensor:
        counts = ", ".join(map(str, sorted(self.schedules)))
        held = f"this preset is an exact list for {counts} steps and is never interpolated"
        full = steps_before_truncation(steps, denoise)
        if denoise <= 0.9999 and mode == "noise_level":
            raise ValueError(f"{held}: it cannot start at the noise level of denoise {denoise:g}, use denoise 1")
        if full in self.schedules:
            return self.runnable[full][-(steps + 1) :].clone()
        if full != steps:
            raise ValueError(
                f"{held}: {steps} steps at denoise {denoise:g} are the end of a list of {full} steps, "
                "which it does not have"
            )
        raise ValueError(f"{held}: it has no list for {steps} steps")

    def _checked_schedules(self) -> dict[int, Tensor]:
        given = check_mapping("schedules", self.schedules, MAX_SCHEDULES)
        if not given:
            raise PresetError("schedules must hold at least one step count")
        # An exact list says itself where it starts; a fitted one that starts above the model's table is a mistake.
        top = math.inf if self.exact else self.model.sigma_max * 1.001
        top = min(top, 1.0) if self.model.flow else top
        checked: dict[int, Tensor] = {}
        for steps in sorted(check_whole("schedules: steps", steps, 1, MAX_STEPS) for steps in given):
            sigmas = check_schedule(steps, given[steps])
            if float(sigmas[0]) > top:
                raise PresetError(f"sigmas.{steps} starts at {float(sigmas[0]):.6g}, above the model's {top:.6g}")
            checked[steps] = sigmas
        return checked

    def _by_steps(self, name: str, check: Callable[[int, Any], Any]) -> dict[int, Any]:
        given = check_mapping(name, getattr(self, name), MAX_SCHEDULES)
        for steps in given:
            if steps not in self.schedules:
                raise PresetError(f"{name} speaks of {shown(steps)} steps, for which the preset has no schedule")
        return {int(steps): check(int(steps), given[steps]) for steps in sorted(given)}

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
