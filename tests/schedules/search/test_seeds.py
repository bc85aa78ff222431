"""The search over seeds: best drafts in full, within the budget, and nothing lost when a reward fails."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.seeds import DrawnImages, SeedBudget, search_seeds
from sigmasmith.schedules.search.words import diversity, drafts_in_words, rank_correlation, seeds_in_words

from .models import BRIGHT


class GreyRuns:
    """Seed n makes an image of brightness (7 n mod 101) / 101; drafts are off by `blur`, in turn up and down."""

    def __init__(self, blur=0.0, steps=16, draft_steps=4) -> None:
        self.blur, self.steps, self.draft_steps = blur, steps, draft_steps
        self.drafted, self.run = [], []

    def image(self, seed, off=0.0):
        return torch.full((1, 2, 2, 3), 0.1 + 0.8 * (7 * seed % 101) / 101 + off)

    def draft(self, seeds):
        self.drafted += seeds
        images = torch.cat([self.image(seed, self.blur * (-1) ** seed) for seed in seeds])
        return DrawnImages(images[..., 0], images, self.draft_steps)

    def full(self, seed):
        self.run.append(seed)
        return DrawnImages(self.image(seed)[..., 0], self.image(seed), self.steps)


def test_the_seed_with_the_best_draft_wins_within_the_budget():
    runs, budget = GreyRuns(), SeedBudget(8.0, 16)
    search = search_seeds(runs, BRIGHT, budget, 100)
    assert runs.drafted == list(range(100, 124))
    best = sorted(runs.drafted, key=lambda seed: 7 * seed % 101)[::-1]
    assert search.kept == best[:2]
    assert search.winner == 0
    assert search.calls == 8 * 16
    report = seeds_in_words(search, drafts_in_words(search, budget), "Drafts ran a fitted schedule.")
    assert f"Seed {best[0]} won" in report
    assert "24 drafts of 4 steps, 2 full runs of 16: 128 model calls, 26 images scored" in report


def test_a_full_run_overrules_its_draft():
    search = search_seeds(GreyRuns(blur=0.05), BRIGHT, SeedBudget(8.0, 16), 0)
    finals = search.scores[1]
    assert int(finals.argmax()) == search.winner
    assert float(finals[search.winner]) == pytest.approx(float(finals.max()))


def test_budgets_say_their_candidates_and_the_least_that_works():
    assert [(SeedBudget(b, 16).candidates, SeedBudget(b, 16).kept) for b in (4, 8, 16)] == [(12, 1), (24, 2), (56, 2)]
    assert SeedBudget(1.5, 16).candidates == 2
    with pytest.raises(ValueError, match=r"budget: 1\.4 images' worth .* the least that works is 1.5"):
        SeedBudget(1.4, 16)
    with pytest.raises(ValueError, match="draft_steps must be from 1 to 15"):
        SeedBudget(8, 16, 16)


@pytest.mark.parametrize("bad", [float("nan"), "a text", [0.1, 0.2]])
def test_a_bad_score_is_named_with_its_seed_and_what_was_made_is_kept(bad):
    def odd(images):
        return bad if abs(float(images.mean()) - float(GreyRuns().image(10).mean())) < 1e-6 else images.mean()

    search = search_seeds(GreyRuns(), ScoreReward("odd", odd), SeedBudget(8.0, 16), 0)
    assert "reward odd" in search.stopped
    assert "(seed 10)" in search.stopped
    assert len(search.seeds) == 16
    assert len(search.scores[0]) == 10
    assert search.kept == [max(range(10), key=lambda seed: 7 * seed % 101)]
    assert search.winner == 0
    report = seeds_in_words(search, "", "")
    assert "Stopped early" in report
    assert f"Seed {search.kept[0]} is given out: the best of the drafts that were scored." in report


def test_a_reward_that_never_scores_leaves_the_first_seed_and_the_report_says_so():
    search = search_seeds(GreyRuns(), ScoreReward("odd", lambda images: "nothing"), SeedBudget(8.0, 16), 4)
    assert search.kept == [4]
    assert "Seed 4 is given out: the first drawn, for no draft was scored." in seeds_in_words(search, "", "")


def test_a_judge_is_reported_beside_and_chooses_nothing():
    dark = ScoreReward("dark", lambda images: -images.mean(dim=(1, 2, 3)))
    with_judge = search_seeds(GreyRuns(), BRIGHT, SeedBudget(4.0, 16), 0, judge=dark)
    assert with_judge.kept == search_seeds(GreyRuns(), BRIGHT, SeedBudget(4.0, 16), 0).kept
    assert len(with_judge.judged_drafts) == 12
    assert "dark, which chose nothing" in seeds_in_words(with_judge, "", "")


def test_an_interrupt_goes_through():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_seeds(GreyRuns(), BRIGHT, SeedBudget(4.0, 16), 0, progress=stop)


def test_rank_correlation_shares_ranks_and_diversity_is_a_share_of_the_range():
    up = torch.tensor([1.0, 2.0, 2.0, 5.0])
    assert rank_correlation(up, up**3) == pytest.approx(1.0)
    assert rank_correlation(up, -up) == pytest.approx(-1.0)
    assert rank_correlation(up[:2], up[:2]) != rank_correlation(up[:2], up[:2])
    assert diversity([torch.zeros(2, 2, 3), torch.ones(2, 2, 3)]) == pytest.approx(100.0)
    assert diversity([torch.zeros(2, 2, 3)]) == 0.0
