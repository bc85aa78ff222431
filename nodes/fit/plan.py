"""A fit as it will be made: the inputs and what the host says of them, worked out once and handed on as one value."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ...schedules.core.sigmas import steps_before_truncation
from ...schedules.core.types import Baselines
from ...schedules.fitting.calibration import Calibration
from ...schedules.fitting.effort import Effort, effort_for
from ...schedules.fitting.experts import switch_sentences
from ...schedules.fitting.memory import FitSize
from ...schedules.fitting.partial import PartialStart, partial_start
from ...schedules.fitting.settings import Sampling, Searching, samplers_by_name, step_counts
from ...schedules.hosting.lists import usable
from ...schedules.hosts.schedules import DEFAULT_HOST
from ...schedules.presets.made import HowMade
from ...schedules.presets.preset import Preset
from ...schedules.samplers.fitted import NAME
from ..edits import derived_name
from ..host import folders
from ..host.changes import digest
from ..host.experts import ExpertRuns
from ..host.guard import check_fittable
from ..host.messages import NodePage
from ..host.runs import GuiderRuns
from ..host.samplers import FitSampler, check_fit_sampler
from ..host.subject import Subject, subject_of
from ..text import parse_steps
from .request import FitRequest


@dataclass(frozen=True)
class FitPlan:
    """All that a fit is made of.

    Attributes:
        request: with a name, and the noises that are used.
        page: the node, to be told what happens.
        path: the file of that name.
        steps: the counts typed, that wanted most first.
        effort: for these counts.
        subject: the model or models, asked of the host.
    """

    request: FitRequest
    page: NodePage
    path: Path
    steps: tuple[int, ...]
    effort: Effort
    subject: Subject

    @classmethod
    def of(cls, request: FitRequest) -> FitPlan:
        """The plan of a request.

        Raises:
            ValueError: names the input to change.
        """
        steps = parse_steps(request.steps)
        effort = effort_for(request.effort, steps, coefficients=NAME in request.samplers)
        request = replace(request, name=request.name.strip(), noises=effort.noises(request.noises))
        check_fit_sampler(request.sampler_name, request.choose_sampler)
        subject = subject_of(
            request.guiders, request.latent, request.noises, request.sampler_name, request.boundary, request.low_input
        )
        # Of two models the preset names neither, so that it serves both.
        if subject.boundary is None and subject.identity.checkpoint is None and request.checkpoint:
            subject = replace(subject, identity=replace(subject.identity, checkpoint=request.checkpoint))
        if not request.name:
            files = subject.made.models if subject.boundary is not None else (subject.identity.checkpoint,)
            request = replace(request, name=derived_name(files, request.sampler_name, request.denoise))
        path = folders.checked_path(request.name)
        return cls(request, NodePage(request.node_id), path, steps, effort, subject)

    @cached_property
    def start(self) -> PartialStart | None:
        """Where runs below denoise 1 start; None for whole ones."""
        sigma_range, hosts = self.subject.identity.sigma_range, self.subject.baselines
        return partial_start(self.request.denoise, None, sigma_range, hosts.get(DEFAULT_HOST), self.steps)

    @cached_property
    def full(self) -> dict[int, int]:
        """Step count -> steps of the list that the host cuts it out of below denoise 1; at denoise 1 both are one."""
        return {count: steps_before_truncation(count, self.request.denoise) for count in self.steps}

    @cached_property
    def baselines(self) -> Baselines:
        """The host's schedules as they run at this denoise, without those that cannot answer at these counts."""
        hosts = self.subject.baselines
        return usable(hosts if self.start is None else self.start.cut_all(hosts), self.steps)

    @property
    def size(self) -> FitSize:
        """Of the fit in memory and on the disk."""
        # Two calls per step: how often a sampler calls the model is not known before it runs.
        return FitSize(
            self.subject.latent_shape,
            self.request.noises,
            self.steps,
            self.effort,
            samplers=len(self.request.samplers),
            calls_per_step=2,
            method=self.request.method,
            coefficients=NAME in self.request.samplers,
        )

    @property
    def notes(self) -> list[str]:
        """Sentences on the inputs for the report, which the preset keeps."""
        notes: list[str] = []
        if "noise_mask" in self.request.latent:
            notes.append("The mask of the latent was not used: the schedule is fitted for whole images.")
        for model in self.subject.models:
            if model.curve is not None:
                notes.append(f"Fitted under a guidance curve: {model.curve.in_words(model.guidance)}")
        return notes

    def runs(self) -> GuiderRuns | ExpertRuns:
        """New runs of one guider, or of two in turn.

        Raises:
            ValueError: something on a model keeps state from step to step; names it.
        """
        request, boundary = self.request, self.subject.boundary
        for guider in request.guiders:
            check_fittable(guider)
        each = [
            GuiderRuns(guider, self.subject.latents, request.calibration_seed, request.positives)
            for guider in request.guiders
        ]
        return each[0] if boundary is None else ExpertRuns(each[0], each[1], boundary)

    @property
    def searching(self) -> Searching:
        """The search, as the core takes it."""
        request = self.request
        return Searching(self.baselines, request.effort, request.method, frequency_weight=request.frequency_weight)

    def sampling(self, samplers: Sequence[FitSampler]) -> Sampling:
        """The sampling by these functions, as the core takes it."""
        subject = self.subject
        return Sampling(
            subject.identity.sigma_range,
            samplers_by_name([sampler.function for sampler in samplers]),
            step_counts(self.steps),
            self.start,
            subject.boundary,
            self.request.calibration_seed,
            subject.guidance or 1.0,
        )

    @cached_property
    def key(self) -> str:
        """Name of the records of this very fit."""
        request = self.request
        facts = (
            [model.records for model in self.subject.models],
            self.subject.boundary,
            digest([request.positives, self.subject.latents]),
            request.samplers,
            self.steps,
            request.noises,
            request.effort,
            request.calibration_seed,
            request.denoise,
            request.method,
            request.frequency_weight,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def preset(self, calibration: Calibration, notes: Sequence[str]) -> Preset:
        """The preset of the fit.

        Args:
            notes: sentences that it keeps, beside those on how it was made and where two models take over.
        """
        subject, made = self.subject, self.made(calibration)
        first, switches = self.request.calibration_seed, switch_sentences(calibration.schedules, subject.boundary)
        return calibration.to_preset(
            model=subject.identity,
            guidance=subject.guidance,
            dtype=subject.dtype,
            made=made,
            seeds=tuple(range(first, first + self.request.noises)),
            name=self.request.name,
            notes="\n".join([*made.sentences(), *notes, *switches]),
            tool="Sigmasmith for ComfyUI",
        )

    def made(self, calibration: Calibration) -> HowMade:
        """How the fit was made, for its preset."""
        solved = calibration.made
        more = {**solved.more, **self.request.facts}
        return replace(self.subject.made, method=solved.method, chosen_among=solved.chosen_among, more=more)
