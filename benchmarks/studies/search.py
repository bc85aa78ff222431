"""Gains of searches at run time, on the bundled models and on networks of the zoo that no choice was made on.

python -P -m sigmasmith.benchmarks search

1. Seeds by drafts: how many full images best-of-N needs for the same reward, over the budget in full images; rank
   correlation of draft and full scores, with fitted drafts and with a host's; diversity of the winners.
2. Search inside a run at equal model calls: rewards and, where there is one, hits of a judge that chose nothing, for
   best of N, Feynman-Kac steering at every step, uniform widths, and widths that stop at a share of noise; beside it
   diversity of the results, images scored for one, seconds, and the difference from Feynman-Kac steering.

Rewards: log-probability of a class by a small classifier trained on the spot, judged by the bundled classifier; colour,
brightness and sharpness of pictures. Noises and seeds are those of no fit and no choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.special import gammaln
from torch import Tensor
from torch.nn import functional

from ...cli.subjects import PlainSubject
from ...demo.models.data import DATA_SETS, load_data
from ...demo.models.network import Architecture, Classifier
from ...demo.models.train import train
from ...demo.models.weights import load_classifier
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from ...schedules.search.children import History, mean_and_spread
from ...schedules.search.pruning import pruning_plan, survivors
from ...schedules.search.rewards import ScoreReward, image_reward
from ...schedules.search.seeds import SeedBudget
from ...schedules.search.stepwise import StepRecord, StepSearch, sample_search
from ...schedules.search.widths import WidthPlan, parse_widths
from ...schedules.search.words import diversity, rank_correlation
from ..zoo.members import member_pictures, zoo_subject
from . import study_parser

STEPS, DRAFT_STEPS, CALLS = 16, 4, 48
# Choices (draft steps, keep, the rule of the step, plans) were made on digits alone.
CHOSEN_ON = ("digits_eps", "digits_flow")
UNSEEN = ("glyphs_eps", "glyphs_flow", "clipart16_eps", "photographs16_flow", "emoji16_v")
STEP_MODELS = ("digits_eps", "digits_flow", "glyphs_eps", "clipart16_eps", "photographs16_flow")
BUDGETS = {4: 2.4, 8: 2.7, 16: 2.9}
PLANS = ("uniform", "until 0.5", "until 0.4", "until 0.3")
STEERED = "Feynman-Kac"
_SEED = 2_000_003
_TRIALS = 300


@dataclass(frozen=True)
class SearchCase:
    """A model without labels or guidance, and rewards on its pictures."""

    name: str
    subject: PlainSubject
    rewards: Mapping[str, ScoreReward]

    def run(self, x: Tensor, sigmas: Tensor, sampler: Callable[..., Tensor], **options: Any) -> Tensor:
        """(B, ...) end states."""
        with torch.no_grad():
            return sampler(self.subject.denoiser, x, sigmas, extra_args=self.extra_args(len(x)), **options)

    def extra_args(self, rows: int) -> dict[str, Any]:
        subject = self.subject
        labels = {"labels": torch.full((rows,), subject.classes)} if subject.classes else {}
        return labels if subject.guidance is None else {"cfg": 1.0, **labels}

    def start(self, rows: int, seed: int = _SEED) -> Tensor:
        return self.subject.noise(rows, seed) * self.subject.sigma_range.sigma_max

    def images(self, states: Tensor) -> Tensor:
        """(N, H, W, 3) in 0..1."""
        pictures = (member_pictures(self.name, states).clamp(-1.0, 1.0) + 1.0) / 2.0
        return pictures.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)

    def host(self, steps: int) -> Tensor:
        return host_schedules(self.subject.sigma_range)["simple"](steps)


def search_case(name: str, classes: int = 6) -> SearchCase:
    """A case with at most `classes` of its classes as rewards."""
    subject, data = zoo_subject(name), name.split("_")[0]
    if data in DATA_SETS:
        small, count = small_classifier(data), len(DATA_SETS[data].classes)
        chosen = range(0, count, max(1, count // classes))
        return SearchCase(name, subject, {f"class {n}": class_reward(small, n) for n in chosen})
    measures = ("brightness", "red", "blue", "sharpness")
    return SearchCase(name, subject, {measure: image_reward(measure) for measure in measures})


def small_classifier(data: str, iterations: int = 400) -> Classifier:
    """A classifier of width 8, apart from the bundled one: other seed, other size, a quarter of the training."""
    shape, classes = DATA_SETS[data].shape, DATA_SETS[data].classes
    torch.manual_seed(3)
    network = Classifier(Architecture(shape[0], shape[1], len(classes), width=8))

    def loss_of(network: Classifier, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(images.shape, generator=generator)
        return functional.cross_entropy(network(images + 0.1 * noise)[0], labels)

    return train(network, loss_of, *load_data(data, "train"), iterations=iterations, seed=3)


def class_reward(classifier: Classifier, label: int | Tensor) -> ScoreReward:
    """Log-probability of a class; of a tensor of labels, image i's is label i, counting round."""

    def score(images: Tensor) -> Tensor:
        with torch.no_grad():
            logits = classifier(2.0 * images[..., :1].permute(0, 3, 1, 2) - 1.0)[0].log_softmax(dim=1)
        if isinstance(label, int):
            return logits[:, label]
        labels = label.repeat(-(-len(images) // len(label)))[: len(images)]
        return logits.gather(1, labels[:, None])[:, 0]

    return ScoreReward("class", score)


def best_of(scores: np.ndarray, count: int) -> float:
    """Expected highest of `count` scores drawn without replacement."""
    ranked, total = np.sort(scores), len(scores)
    place = np.arange(count, total + 1)
    log = gammaln(place) - gammaln(place - count + 1) - gammaln(total + 1) + gammaln(total - count + 1) + np.log(count)
    return float((np.exp(log) * ranked[count - 1 :]).sum())


def equivalent(scores: np.ndarray, reached: float, most: int = 160) -> float:
    """N for which best-of-N is expected to reach a score, interpolated; `most` where it needs more."""
    counts = np.unique(np.round(np.geomspace(1, min(most, len(scores)), 60)).astype(int))
    return float(np.interp(reached, [best_of(scores, count) for count in counts], counts))


def draft_trials(full: Tensor, drafts: Tensor, budget: SeedBudget, seed: int) -> tuple[float, list[int]]:
    """Mean score of the winner over trials on random sets of candidates, and the winners' rows."""
    rng, winners = np.random.default_rng(seed), []
    for _ in range(_TRIALS):
        chosen = torch.from_numpy(rng.choice(len(full), budget.candidates, replace=False))
        kept = chosen[drafts[chosen].argsort(descending=True)[: budget.kept]]
        winners.append(int(kept[full[kept].argmax()]))
    return float(full[winners].mean()), winners


def pruned_trials(full: Tensor, on_the_way: Mapping[int, Tensor], images: float, seed: int) -> float:
    """Mean score of what a pruned batch leaves, over trials on random sets of seeds.

    Args:
        on_the_way: step -> scores of the model's outputs after that many calls.
    """
    plan, rng, reached = pruning_plan(images, STEPS), np.random.default_rng(seed), []
    for _ in range(_TRIALS):
        alive = rng.choice(len(full), plan.start, replace=False).tolist()
        for step in sorted(plan.left):
            alive = survivors(alive, on_the_way[step][alive], plan.left[step])
        reached.append(float(full[alive].max()))
    return float(np.mean(reached))


def draft_row(case: SearchCase, rows: int) -> dict[str, Any]:
    """Figures of one case, mean over its rewards."""
    subject, x = case.subject, case.start(rows)
    noise = subject.noise(16, 5)
    full_fit = subject.fit(noise, "dpmpp_2m", (DRAFT_STEPS, STEPS), effort="fast")
    coefficients = subject.fit(noise, "sigmasmith_multistep", (DRAFT_STEPS,), effort="fast")
    plain = own_sampler("dpmpp_2m")
    outputs: list[Tensor] = []
    full = case.images(
        case.run(x, full_fit.sigmas(STEPS), plain, callback=lambda info: outputs.append(info["denoised"]))
    )
    drafts = {
        "host": case.images(case.run(x, case.host(DRAFT_STEPS), plain)),
        "fitted": case.images(case.run(x, full_fit.sigmas(DRAFT_STEPS), plain)),
        "coefficients": case.images(case.run(x, coefficients.sigmas(DRAFT_STEPS), coefficients.sampler_function())),
    }
    figures: dict[str, Any] = {"diversity": diversity(list(full[:64]))}
    for kind, images in drafts.items():
        pairs = [(reward.measure(full)[:, 0], reward.measure(images)[:, 0]) for reward in case.rewards.values()]
        figures[f"{kind} rank"] = float(np.mean([rank_correlation(*pair) for pair in pairs]))
        for budget in BUDGETS:
            spend = SeedBudget(budget, STEPS, DRAFT_STEPS)
            trials = [draft_trials(*pair, spend, 7 + place) for place, pair in enumerate(pairs)]
            ratios = [equivalent(pair[0].numpy(), trial[0]) / budget for pair, trial in zip(pairs, trials)]
            figures[f"{kind} {budget}"] = float(np.mean(ratios)), float(min(ratios))
            figures[f"diversity {budget}"] = float(np.mean([diversity(list(full[t[1][:64]])) for t in trials]))
    for budget in BUDGETS:
        ratios = []
        for place, reward in enumerate(case.rewards.values()):
            scores = reward.measure(full)[:, 0]
            rounds = pruning_plan(budget, STEPS).left
            on_the_way = {step: reward.measure(case.images(outputs[step - 1]))[:, 0] for step in rounds}
            reached = pruned_trials(scores, on_the_way, budget, 7 + place)
            ratios.append(equivalent(scores.numpy(), reached) / budget)
        figures[f"pruned {budget}"] = float(np.mean(ratios)), float(min(ratios))
    return figures


def print_drafts(names: Sequence[str], rows: int) -> None:
    print(f"1. Seeds by drafts of {DRAFT_STEPS} steps, full runs of {STEPS}; {rows} noises, mean over rewards (worst)")
    print(
        "   best-of-N that reaches the same, over the budget; asked: "
        + ", ".join(f"{b}: {r}" for b, r in BUDGETS.items())
    )
    for name in names:
        figures = draft_row(search_case(name), rows)
        tag = "" if name in CHOSEN_ON else "  (no choice was made on it)"
        spread = ", ".join(f"{figures[f'diversity {budget}']:.1f}" for budget in BUDGETS)
        print(f"{name}{tag}: diversity {figures['diversity']:.1f} without search, {spread} at budgets 4, 8, 16")
        for kind in ("host", "fitted", "coefficients"):
            cells = "  ".join("{:5.2f} ({:.2f})".format(*figures[f"{kind} {budget}"]) for budget in BUDGETS)
            print(f"   {kind:13s} rank correlation {figures[f'{kind} rank']:.3f}   {cells}", flush=True)
        cells = "  ".join("{:5.2f} ({:.2f})".format(*figures[f"pruned {budget}"]) for budget in BUDGETS)
        print(f"   {'pruned batch':36s}   {cells}", flush=True)


def fk_steering(
    case: SearchCase, x: Tensor, sigmas: Tensor, reward: ScoreReward, particles: int, strength: float, seed: int
) -> Tensor:
    """(B, ...) model output of each image's best particle; resampled at every step by exp(strength * reward).

    Args:
        x: (B * particles, ...) start states, particles of an image in turn.
    Source: Singhal et al. 2025, arXiv:2501.06848, the potential "max" replaced by the current reward.
    """
    flow, generator = case.subject.sigma_range.flow, torch.Generator().manual_seed(seed)
    images, args = len(x) // particles, case.extra_args(len(x))

    def scored(denoised: Tensor) -> Tensor:
        by_particle = denoised.reshape(images, particles, *denoised.shape[1:]).transpose(0, 1).flatten(0, 1)
        return reward.measure(case.images(by_particle))[:, 0].reshape(particles, images).T

    levels = sigmas.tolist()
    with torch.no_grad():
        denoised = case.subject.denoiser(x, x.new_full((len(x),), levels[0]), **args)
        for sigma, target in pairwise(levels[:-1]):
            mean, spread = mean_and_spread("euler_ancestral", x, denoised, sigma, target, 1.0, flow, History())
            x = mean + spread * torch.randn(mean.shape, generator=generator)
            denoised = case.subject.denoiser(x, x.new_full((len(x),), target), **args)
            weights = torch.softmax(strength * scored(denoised), dim=1).cumsum(dim=1)
            places = (torch.rand(images, 1, generator=generator) + torch.arange(particles)) / particles
            chosen = torch.searchsorted(weights, places).clamp(max=particles - 1)
            rows = (chosen + particles * torch.arange(images)[:, None]).flatten()
            x, denoised = x[rows], denoised[rows]
    best = scored(denoised).argmax(dim=1) + particles * torch.arange(images)
    return denoised[best]


@dataclass(frozen=True)
class Searched:
    """The results of a method.

    Attributes:
        end: (rows, ...).
        scored: images that the reward looked at for each of them.
        seconds: of all.
    """

    end: Tensor
    scored: int
    seconds: float

    def beside(self, case: SearchCase) -> str:
        """Its cost, and how unlike each other the results are."""
        spread = diversity(list(case.images(self.end[:64])))
        return f"diversity {spread:4.1f}, {self.scored:2d} scored, {self.seconds:4.1f} s"


def step_results(case: SearchCase, reward: ScoreReward, rows: int, plans: Sequence[str]) -> dict[str, Searched]:
    """Method -> its results with CALLS model calls an image; `none` is one run."""
    particles, sigmas = CALLS // STEPS, case.host(STEPS)
    x, many = case.start(rows), case.start(rows * particles, _SEED + 1)
    results = {"none": stepwise(case, x, sigmas, reward, STEPS + 1, parse_widths("until 0.999"))}
    for name, strength in ((f"best of {particles}", 0.0), (f"{STEERED} 1", 1.0), (f"{STEERED} 10", 10.0)):
        start = time.perf_counter()
        end = fk_steering(case, many, sigmas, reward, particles, strength, 1)
        scored = particles * (STEPS if strength else 1)  # without a strength only the choice at the end needs it
        results[name] = Searched(end, scored, time.perf_counter() - start)
    for plan in plans:
        results[plan] = stepwise(case, x, sigmas, reward, CALLS, parse_widths(plan))
    return results


def stepwise(case: SearchCase, x: Tensor, sigmas: Tensor, reward: ScoreReward, calls: int, plan: WidthPlan) -> Searched:
    """A search inside a run."""
    search, record, start = StepSearch(reward, case.images, calls, plan), StepRecord(), time.perf_counter()
    flow = case.subject.sigma_range.flow
    end = case.run(x, sigmas, sample_search, search=search, flow=flow, seed=31, record=record)
    return Searched(end, record.rewarded, time.perf_counter() - start)


def print_steps(names: Sequence[str], rows: int) -> None:
    print(f"\n2. Search inside a run of {STEPS} steps at {CALLS} calls, {rows} images: mean +- standard error")
    for name in names:
        data, case = name.split("_")[0], search_case(name)
        if data in DATA_SETS:
            labels = torch.arange(rows) % len(DATA_SETS[data].classes)
            judge, reward = load_classifier(data), class_reward(small_classifier(data), labels)
            print(f"{name}: hits of the judge, log-probability searched on, and the judge's")
            values: dict[str, Tensor] = {}
            for method, result in step_results(case, reward, rows, PLANS).items():
                logits = judge(result.end.clamp(-1.0, 1.0))[0].log_softmax(dim=1)
                values[method] = (logits.argmax(dim=1) == labels).float()
                searched = reward.measure(case.images(result.end)).mean()
                judged = logits.gather(1, labels[:, None]).mean()
                scores = f"{in_numbers(values[method])}   {searched:6.2f} {judged:6.2f}"
                print(f"   {method:15s} {scores}   {result.beside(case)}", flush=True)
            print(against_steering(values), flush=True)
        else:
            for reward in list(case.rewards.values())[:2]:
                print(f"{name}: {reward.name}")
                values = {}
                for method, result in step_results(case, reward, rows, PLANS).items():
                    values[method] = reward.measure(case.images(result.end))[:, 0]
                    print(f"   {method:15s} {in_numbers(values[method])}   {result.beside(case)}", flush=True)
                print(against_steering(values), flush=True)


def against_steering(values: Mapping[str, Tensor]) -> str:
    """Each plan against the better Feynman-Kac steering, in standard errors of the difference, image by image."""
    steered = max((name for name in values if name.startswith(STEERED)), key=lambda name: float(values[name].mean()))
    told = []
    for plan in PLANS:
        difference = values[plan] - values[steered]
        error = float(difference.std()) / len(difference) ** 0.5
        told.append(f"{plan} {float(difference.mean()):+.3f} ({float(difference.mean()) / max(error, 1e-9):+.1f})")
    return f"   beside {steered} (in standard errors): {', '.join(told)}"


def in_numbers(values: Tensor) -> str:
    return f"{float(values.mean()):6.3f} +- {float(values.std()) / len(values) ** 0.5:.3f}"


def main(argv: Sequence[str]) -> int:
    """Print both; returns the exit status."""
    parser = study_parser("search", __doc__)
    parser.add_argument("--rows", type=int, default=768, help="noises of the drafts (default 768)")
    parser.add_argument("--images", type=int, default=200, help="images of the searches inside a run (default 200)")
    parser.add_argument("--models", nargs="+", default=STEP_MODELS, help="of the searches inside a run")
    parser.add_argument("--part", choices=("drafts", "steps", "both"), default="both")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    start = time.perf_counter()
    if args.part != "steps":
        print_drafts([*CHOSEN_ON, *UNSEEN], args.rows)
    if args.part != "drafts":
        print_steps(args.models, args.images)
    print(f"\n{time.perf_counter() - start:.0f} s")
    return 0
