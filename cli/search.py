"""`search`: the best of many seeds of a bundled model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..demo.models.weights import load_classifier
from ..schedules.core.types import SamplerFunction
from ..schedules.hosting.multistep import multistep_of
from ..schedules.hosting.whole_runs import preset_schedule
from ..schedules.presets.preset import Preset
from ..schedules.samplers.by_name import own_sampler
from ..schedules.samplers.fitted import NAME
from ..schedules.search.rewards import Reward, ScoreReward, image_reward
from ..schedules.search.seeds import DrawnImages, SeedBudget, search_seeds
from ..schedules.search.words import drafts_in_words, seeds_in_words
from .fit import calm_threads
from .named_schedules import find_preset, named_schedule
from .subjects import PlainSubject, check_seed, demo_subject

CLASS_PREFIX = "class:"


def run(args: argparse.Namespace) -> None:
    calm_threads("cpu")
    subject = demo_subject(args.model, args.cfg)
    budget = SeedBudget(args.budget, args.steps, args.draft_steps, args.keep)
    reward = named_reward(args.reward, subject)
    judge = None if args.judge is None else named_reward(args.judge, subject)
    runs = demo_runs(subject, args.schedule, budget, args.label)
    search = search_seeds(runs, reward, budget, check_seed(args.seed), judge=judge)
    print(seeds_in_words(search, drafts_in_words(search, budget), runs.note))
    print("Drafts, the best first:")
    scores = search.scores[0]
    for place in search.order[:8]:
        print(f"  seed {search.seeds[place]}: {float(scores[place]):.4g}")


@dataclass(frozen=True)
class DemoRuns:
    """The SeedRuns of a bundled model: seed n's noise is what `--seed n` draws for one image.

    Args:
        label: class of every image; None for none.
        note: what the drafts run, a sentence.
    """

    subject: PlainSubject
    sigmas: Tensor
    draft_sigmas: Tensor
    draft_sampler: SamplerFunction
    label: int | None
    note: str

    def draft(self, seeds: Sequence[int]) -> DrawnImages:
        return self._drawn(seeds, self.draft_sigmas, self.draft_sampler)

    def full(self, seed: int) -> DrawnImages:
        return self._drawn([seed], self.sigmas, own_sampler("dpmpp_2m"))

    def _drawn(self, seeds: Sequence[int], sigmas: Tensor, sampler: SamplerFunction) -> DrawnImages:
        subject = self.subject
        x = torch.cat([subject.noise(1, seed) for seed in seeds]) * float(sigmas[0])
        null = subject.classes if self.label is None else self.label
        args = {"cfg": subject.guidance, "labels": torch.full((len(seeds),), null)}
        with torch.no_grad():
            ends = sampler(subject.denoiser, x, sigmas, extra_args=args)
        images = ((ends.clamp(-1.0, 1.0) + 1.0) / 2.0).expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        return DrawnImages(ends, images, len(sigmas) - 1)


def demo_runs(subject: PlainSubject, schedule: str, budget: SeedBudget, label: int | None) -> DemoRuns:
    """Runs on a preset or a named schedule; drafts take a preset's coefficients where it has them.

    Raises:
        ValueError: names the option.
    """
    if label is not None and not 0 <= label < subject.classes:
        raise ValueError(f"--label must be from 0 to {subject.classes - 1}, got {label}")
    preset = find_preset(schedule)
    sampler, note = own_sampler("dpmpp_2m"), f"Drafts and full runs follow {schedule}, with dpmpp_2m."
    if preset is None:
        sigmas_of = named_schedule(schedule, subject.sigma_range)
    else:
        sigmas_of = preset_schedule(preset)
        if _has_coefficients(preset, budget.draft_steps):
            sampler = multistep_of(preset, subject.sigma_range, subject.guidance)
            note = "Drafts ran the preset's fitted coefficients."
    draft, full = sigmas_of(budget.draft_steps), sigmas_of(budget.steps)
    return DemoRuns(subject, full, draft, sampler, label, note)


def _has_coefficients(preset: Preset, steps: int) -> bool:
    return preset.sampler == NAME and steps in preset.coefficients


def named_reward(name: str, subject: PlainSubject) -> Reward:
    """brightness, sharpness ..., or class:N, the log-probability of a class by the bundled classifier.

    Raises:
        ValueError: names the option.
    """
    if not name.startswith(CLASS_PREFIX):
        try:
            return image_reward(name)
        except ValueError as error:
            raise ValueError(f"--reward: {error}; or class:N for a class of the model") from error
    number = name.removeprefix(CLASS_PREFIX)
    if not number.isdigit() or int(number) >= subject.classes:
        raise ValueError(f"--reward: class must be a number from 0 to {subject.classes - 1}, got {number!r}")
    classifier = load_classifier((subject.identity.checkpoint or "").split("_")[0])

    def score(images: Tensor) -> Tensor:
        with torch.no_grad():
            logits, _ = classifier(2.0 * images[..., :1].permute(0, 3, 1, 2) - 1.0)
        return logits.log_softmax(dim=1)[:, int(number)]

    return ScoreReward(f"log-probability of class {number}", score)
