"""The runs of Auto in place of a sampler's settings: a preset of the library, one that it makes now, or the family."""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...schedules.core.words import Phrase
from ...schedules.family.learned import LEAST_STEPS, MOST_STEPS
from ...schedules.family.schedule import family_schedule
from ...schedules.hosting import LOGGER_NAME
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..edits import PATCHES
from ..fit.in_use import InUse
from ..fit.work import FitRequest, fit
from ..host import folders, messages
from ..host.acting import ChosenRun, SampledRun, with_choice
from ..host.changes import running_facts
from ..host.decoding import decoder_of
from ..host.guiders import guidance_of
from ..host.identity import identity_under, patches_at_any_strength
from ..host.multistep import multistep_sampler
from ..host.progress import TooLongError
from ..host.samplers import IGNORES_SCHEDULE, RENEWS_NOISE, draws_noise, sampler_names, sampler_of
from ..pictures.beside import Beside, for_page, pictures_of
from ..text import duration
from .library import RACE, RunFacts, choice_in_words, choice_of, matching, preset_name

QUICK, NONE, FIT = RACE, "none", "fit"
# What Fit takes where nobody says otherwise; races use a number of noises of their own.
_EFFORTS, _NOISES = {QUICK: RACE, FIT: "fast"}, 4
# Deterministic, one model call a step: the fitted sampler does in their place what they do, at their cost.
_REPLACED = (
    "euler",
    "ddim",
    "lms",
    "dpmpp_2m",
    "deis",
    "ipndm",
    "ipndm_v",
    "res_multistep",
    "gradient_estimation",
    "uni_pc",
    "uni_pc_bh2",
    "sigmasmith_2m_weighted",
    NAME,
)
# What the untuned family makes no worse: its sigmas alone, without its coefficients, end farther from the reference
# than karras at 12 steps (digits_eps: dpmpp_2m 1.3 times, heun 1.5, ipndm 1.8).
FAMILY_SERVES = (NAME,)
# A limit that is offered leaves room for calls slower than the first ones.
_ROOM = 1.5
# Names of presets that would have taken longer than the limit, with the seconds: not tried anew at every picture.
_too_long: dict[tuple[str, tuple[int, ...]], float] = {}


@dataclass(frozen=True)
class Auto:
    """The node's settings.

    Args:
        tune: QUICK, NONE or FIT: what to do where the library has no preset for a run.
        keep_sampler: whether the sampler stays as it is set.
        minutes: above which nothing is tuned; 0 for no limit.
        checkpoint: file of the model by the graph, for hosts whose models do not know it.
        node_id: for messages on the page.
        vae: for the pictures before and after; None: the host's preview decoder makes them.
    """

    tune: str
    keep_sampler: bool
    minutes: float
    checkpoint: str | None
    node_id: Any
    vae: Any = None

    def on(self, model: Any) -> Any:
        """A clone of the model whose every run finds its own preset."""
        return with_choice(model, self.choose, self.node_id)

    def choose(self, run: SampledRun) -> ChosenRun:
        """The run's sigmas and sampler, and what is said about them.

        Raises:
            Whatever a fit raises: the run is then as it was set.
        """
        reason = _why_as_set(run, self.keep_sampler)
        if reason:
            return _as_set(run, reason)
        facts = self._facts(run)
        preset = matching(folders.preset_store().presets(), facts, refined=self.tune == FIT)
        if preset is None and not facts.whole:
            return _as_set(
                run,
                Phrase(
                    "it starts or ends in the middle of the noise (sigma {start} to {end}), and there is no preset for "
                    "that; Sigmasmith Fit Schedule makes one for a denoise below 1",
                    start=f"{facts.start:.4g}",
                    end=f"{float(run.sigmas[-1]):.4g}",
                ),
            )
        reason, offer = Phrase("there is no preset for it and tune is none"), None
        if preset is None and self.tune != NONE:
            preset, reason, offer = self._tuned(run, facts)
        if preset is not None:
            return self._by_preset(run, facts, preset)
        return replace(self._by_family(run, facts, reason), offer=offer)

    def _facts(self, run: SampledRun) -> RunFacts:
        identity, whole = identity_under(run.guider), run.is_whole
        wanted = NAME if whole and not self.keep_sampler else run.sampler_name
        return RunFacts(
            identity=identity if identity.checkpoint else replace(identity, checkpoint=self.checkpoint),
            patches=patches_at_any_strength(run.guider),
            samplers=tuple(dict.fromkeys([wanted, run.sampler_name])),
            steps=run.steps,
            start=float(run.sigmas[0]),
            whole=whole,
            guidance=guidance_of(run.guider),
            latent_shape=run.latent_shape,
            made=running_facts(run.guider),
        )

    def _tuned(self, run: SampledRun, facts: RunFacts) -> tuple[Preset | None, str, int | None]:
        """A new preset, saved; or None, why there is none, and the limit in minutes that it would need."""
        if facts.identity.checkpoint is None:
            reason = Phrase(
                "neither the model nor the graph tells the file it came from, by which a preset is known again"
            )
            return None, reason, None
        name = preset_name(facts)
        key, limit = (name, run.latent_shape or ()), 60.0 * self.minutes
        try:
            if limit and _too_long.get(key, 0.0) > limit:
                raise TooLongError(_too_long[key])
            return self._fit(run, facts, name), "", None
        except TooLongError as error:
            _too_long[key] = error.seconds
            reason = Phrase(
                "tuning would take about {time}, more than the limit of {minutes} minutes; raise minutes, or set it to "
                "0, and queue again to let it run",
                time=duration(error.seconds),
                minutes=f"{self.minutes:g}",
            )
            return None, reason, math.ceil(_ROOM * error.seconds / 60.0)

    def _fit(self, run: SampledRun, facts: RunFacts, name: str) -> Preset:
        request = FitRequest(
            guider=run.guider,
            latent={"samples": run.latent},
            sampler_name=facts.samplers[0],
            steps=str(run.steps),
            noises=_NOISES,
            effort=_EFFORTS[self.tune],
            calibration_seed=0,
            minutes=self.minutes,
            name=name,
            refit=True,
            node_id=self.node_id,
            starts_over_limit=False,
            checkpoint=self.checkpoint,
            facts={PATCHES: facts.patches} if facts.patches else {},
            in_use=InUse(run.sampler_name, "as set in the sampler", run.steps, run.sigmas),
        )
        result = fit(request)
        self._show(result.beside, run)
        return result.preset

    def _show(self, beside: Beside | None, run: SampledRun) -> None:
        """Lay before and after on the page; pictures that fail cost nothing else."""
        try:
            pictures = pictures_of(beside, decoder_of(run.model, self.vae))
            messages.send(messages.PICTURES, self.node_id, pictures=for_page(beside, pictures, None))
        except Exception as error:  # a VAE for other latents may raise anything
            if messages.is_interrupt(error):
                raise
            logging.getLogger(LOGGER_NAME).warning("Sigmasmith Auto could not make pictures", exc_info=True)

    def _by_preset(self, run: SampledRun, facts: RunFacts, preset: Preset) -> ChosenRun:
        choice = choice_of(preset, facts)
        if choice is None:
            name = preset.name or Phrase("without a name")
            return _as_set(
                run,
                Phrase("the preset {name} says that nothing can be fitted here, as on models of few steps", name=name),
            )
        sigmas, sampler = choice
        said = Phrase("Auto: {run}", run=choice_in_words(preset, facts, sampler))
        return ChosenRun(sigmas, self._sampler(run, sampler, preset), said, preset)

    def _by_family(self, run: SampledRun, facts: RunFacts, reason: str) -> ChosenRun:
        """The family as it is, where it is known to serve; else as set."""
        if facts.samplers[0] not in FAMILY_SERVES:
            return _as_set(
                run,
                Phrase(
                    "{reason}; untuned, the family's sigmas are no gain for {sampler}",
                    reason=reason,
                    sampler=facts.samplers[0],
                ),
            )
        if not LEAST_STEPS <= run.steps <= MOST_STEPS:
            return _as_set(
                run,
                Phrase(
                    "{reason}; the family is for {least} to {most} steps",
                    reason=reason,
                    least=LEAST_STEPS,
                    most=MOST_STEPS,
                ),
            )
        said = Phrase(
            "Auto: {steps} steps of the family with {sampler}, for {reason}.",
            steps=run.steps,
            sampler=facts.samplers[0],
            reason=reason,
        )
        sampler = self._sampler(run, facts.samplers[0], None)
        return ChosenRun(_family_sigmas(facts), sampler, said, warns=self.tune != NONE)

    def _sampler(self, run: SampledRun, name: str, preset: Preset | None) -> Any:
        """The SAMPLER of this name; what the run's own does to masked images another one does too."""
        if name == run.sampler_name and name != NAME:
            return run.sampler
        sampler = multistep_sampler(preset, self.node_id) if name == NAME else sampler_of(name)
        sampler.inpaint_options = copy.copy(run.sampler.inpaint_options)
        return sampler


def _family_sigmas(facts: RunFacts) -> Tensor:
    identity = facts.identity
    return family_schedule(
        facts.steps, sigma_min=identity.sigma_min, sigma_max=identity.sigma_max, flow=identity.flow
    ).sigmas


def _as_set(run: SampledRun, reason: str) -> ChosenRun:
    said = Phrase("Auto: this run is as set in the sampler, for {reason}.", reason=reason)
    return ChosenRun(run.sigmas, run.sampler, said)


def _why_as_set(run: SampledRun, keep_sampler: bool) -> str:
    """Why a run must stay as it is, whatever the library holds; "" where it need not."""
    name = run.sampler_name
    if run.carries_preset:
        return Phrase("Sigmasmith Apply Schedule put a preset on the model")
    if run.latent_shape is None:
        return Phrase("its latents are of several kinds at once")
    if run.steps < 1 or name not in sampler_names():
        return Phrase("its sampler is none of the sampler list")
    if name in IGNORES_SCHEDULE:
        return Phrase("{sampler} chooses its noise levels itself", sampler=name)
    if name in RENEWS_NOISE:
        return Phrase("{sampler} renews all of the noise", sampler=name)
    if draws_noise(name):
        return Phrase("{sampler} draws noise of its own", sampler=name)
    if run.has_settings:
        return Phrase("{sampler} has settings of its own", sampler=name)
    if run.is_whole and not keep_sampler and name not in _REPLACED:
        return Phrase(
            "{sampler} may call the model several times a step; turn keep_sampler on to tune its sigmas", sampler=name
        )
    return ""
