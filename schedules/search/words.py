"""Searches in words, and the numbers of their reports."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.words import duration
from .seeds import SeedBudget, SeedSearch
from .stepwise import StepRecord, StepSearch

_SHOWN = 8


def rank_correlation(left: Tensor, right: Tensor) -> float:
    """Spearman's, equal values sharing their rank; NaN below three values or where one side is all equal."""
    if len(left) < 3:
        return float("nan")
    ranks = torch.stack([_ranks(each) for each in (left, right)])
    return float(torch.corrcoef(ranks)[0, 1])


def _ranks(values: Tensor) -> Tensor:
    """(N,) float64 ranks, means of ties."""
    _, place, counts = values.double().unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    return (last - 0.5 * (counts.double() - 1.0))[place]


def diversity(images: Sequence[Tensor]) -> float:
    """Mean root-mean-square difference between two of the images, in percent of the full range; 0 for one image."""
    if len(images) < 2:
        return 0.0
    flat = torch.stack([image.flatten().float() for image in images])
    return 100.0 * float(torch.pdist(flat).mean()) / flat.shape[1] ** 0.5


def drafts_in_words(search: SeedSearch, budget: SeedBudget) -> str:
    """How many drafts and full runs were made."""
    full = len(search.kept)
    plural = "s" * (full != 1)
    return f"{len(search.seeds)} drafts of {budget.draft_steps} steps, {full} full run{plural} of {budget.steps}"


def seeds_in_words(search: SeedSearch, made: str, note: str) -> str:
    """The report of a search over seeds.

    Args:
        made: the runs that were made, without a full stop.
        note: which schedule the drafts ran, a sentence.
    """
    drafts, finals = search.scores
    lines = []
    if search.winner is not None and len(finals):
        lines.append(f"Seed {search.kept[search.winner]} won with {float(finals.max()):.4g} by {search.reward.name}.")
    if search.stopped:
        lines.append(f"Stopped early: {search.stopped}. What was made so far is kept.")
    if search.winner is not None and not len(finals):
        why = "the best of the drafts that were scored" if len(drafts) else "the first drawn, for no draft was scored"
        lines.append(f"Seed {search.kept[search.winner]} is given out: {why}.")
    lines.append(
        f"{made}: "
        f"{search.calls:.0f} model calls, {search.rewarded} images scored; {duration(search.seconds)} for the runs, "
        f"{duration(search.reward_seconds)} for the reward."
    )
    lines.append(note)
    if len(drafts) > 1:
        lines.append(
            f"Draft scores: {float(drafts.min()):.4g} to {float(drafts.max()):.4g}, mean {float(drafts.mean()):.4g}."
        )
    if len(finals):
        index = [search.seeds.index(seed) for seed in search.kept[: len(finals)]]
        pairs = [(seed, float(drafts[i]), float(final)) for seed, i, final in zip(search.kept, index, finals)]
        lines += [f"Seed {seed}: {draft:.4g} as a draft, {final:.4g} in full." for seed, draft, final in pairs[:_SHOWN]]
        rho = rank_correlation(drafts[index], finals)
        if rho == rho:
            lines.append(f"Rank correlation of draft and full scores over the kept: {rho:.2f}.")
    if len(search.finals) > 1:
        spread, all_drafts = diversity([drawn.images[0] for drawn in search.finals]), diversity(search.drafts)
        lines.append(f"Diversity: {spread:.1f} % of the range among the kept, {all_drafts:.1f} % among the drafts.")
    if search.judge is not None and search.judged_finals:
        best = search.judged_finals[search.winner or 0]
        mean = sum(search.judged_drafts) / max(1, len(search.judged_drafts))
        lines.append(
            f"{search.judge.name}, which chose nothing: {best:.4g} for the winner, {mean:.4g} on average of the drafts."
        )
    return "\n".join(lines)


def steps_in_words(search: StepSearch, record: StepRecord) -> str:
    """The report of a search inside a run."""
    width = record.widths
    lines = [
        f"{record.calls} model calls and {record.rewarded} scored images for each image; children by step: "
        f"{', '.join(map(str, width))} (plan {search.plan.text()})."
    ]
    if record.best:
        first, last = record.best[0].mean(), record.best[-1].mean()
        lines.append(f"{search.reward.name}, mean over images: {first:.4g} in the first step, {last:.4g} in the last.")
        spreads = ", ".join(f"{float(each.mean()):.2g}" for each in record.spread)
        lines.append(f"Spread of the children's scores by step: {spreads}.")
    if search.judge is not None and record.judged is not None:
        judged = ", ".join(f"{value:.4g}" for value in record.judged[:_SHOWN].tolist())
        lines.append(f"{search.judge.name}, which chose nothing: {judged}.")
    if record.stopped:
        lines.append(f"The search stopped and the run went on without it: {record.stopped}.")
    return "\n".join(lines)
