"""`search` on a bundled model: the winner is an ordinary seed, and mistakes are named."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.cli.main import main
from sigmasmith.cli.search import demo_runs, named_reward
from sigmasmith.cli.subjects import demo_subject
from sigmasmith.schedules.search.rewards import measured
from sigmasmith.schedules.search.seeds import SeedBudget, search_seeds

BUDGET = SeedBudget(4.0, 8, 2)


def test_the_winner_beats_the_mean_and_is_what_a_plain_run_of_its_seed_gives():
    subject = demo_subject("digits_eps")
    reward, runs = named_reward("class:3", subject), demo_runs(subject, "karras", BUDGET, None)
    search = search_seeds(runs, reward, BUDGET, 5)
    winner = search.winner
    assert winner is not None
    x = subject.noise(1, search.kept[winner]) * subject.sigma_range.sigma_max
    args = {"cfg": 1.0, "labels": torch.tensor([subject.classes])}
    with torch.no_grad():
        want = subject.end_states(x, lambda model, x, sigmas, **o: _plain(model, x, sigmas, args), runs.sigmas)
    torch.testing.assert_close(search.finals[winner].latents, want)
    everyone = torch.cat([runs.full(seed).images for seed in search.seeds])
    assert float(search.scores[1][winner]) > float(measured(reward, everyone).mean())


def _plain(model, x, sigmas, args):
    from sigmasmith.schedules.samplers.by_name import own_sampler

    return own_sampler("dpmpp_2m")(model, x, sigmas, extra_args=args)


def test_the_command_prints_the_winner_and_what_it_cost(capsys):
    options = ["search", "karras", "--model", "digits_flow", "--steps", "8", "--draft-steps", "2", "--budget", "3"]
    assert main([*options, "--judge", "brightness"]) == 0
    out = capsys.readouterr().out
    assert "8 drafts of 2 steps, 1 full run of 8: 24 model calls, 9 images scored" in out
    assert "brightness, which chose nothing" in out


def test_without_a_schedule_the_family_s_list_runs(capsys):
    assert main(["search", "--model", "digits_eps", "--steps", "5", "--draft-steps", "2", "--budget", "2"]) == 0
    assert "follow family, with dpmpp_2m" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reward", "class:10"], "--reward: class must be a number from 0 to 9"),
        (["--reward", "beauty"], "--reward: measure must be one of"),
        (["--label", "12"], "--label must be from 0 to 9"),
        (["--budget", "1"], "the least that works"),
        (["--draft-steps", "16"], "draft_steps must be from 1 to 15"),
    ],
)
def test_mistakes_are_one_line(options, said, capsys):
    assert main(["search", "--model", "digits_eps", *options]) == 2
    assert said in capsys.readouterr().err
