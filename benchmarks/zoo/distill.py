"""Distil a network of the zoo: the student's output at every level of a trajectory is the trajectory's end.

python -P -m sigmasmith.benchmarks.zoo.distill NAME

It then draws in one to four steps, and its outputs no longer belong to one field: nothing may be fitted to it.

Source: Song et al. 2023, arXiv:2303.01469 (the consistency function), learned here by regression on finished
trajectories as in Luhman and Luhman 2021, arXiv:2101.02388.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from ...cli.subjects import PlainSubject
from ...demo.models.train import train
from ...schedules.hosts.schedules import host_schedules
from ...schedules.samplers.by_name import own_sampler
from .judge import denoising_error, probe_values
from .members import zoo_subject
from .network import PredictingDenoiser
from .recipes import RECIPES, Recipe
from .weights import TrainedNetwork, read_trained, weight_file, write_trained

_GUIDANCE, _STEPS, _TRAJECTORIES, _AT_ONCE, _SEED = 2.0, 40, 1_024, 256, 7
# Above this the weights of low levels, where the end is all but given, would drown the high ones.
_LARGEST_WEIGHT = 10.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sigmasmith.benchmarks.zoo.distill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=[name for name, recipe in RECIPES.items() if recipe.teacher])
    name = parser.parse_args(argv).name
    torch.set_num_threads(1)
    network = distil_recipe(RECIPES[name])
    print(network.settings)
    write_trained(weight_file(name), RECIPES[name], network)


def distil_recipe(recipe: Recipe) -> TrainedNetwork:
    """The student, judged on the same data as its teacher."""
    assert recipe.teacher is not None
    teacher = read_trained(recipe.teacher)
    start = time.process_time()
    states, sigmas, labels = draw_trajectories(
        zoo_subject(recipe.teacher, _GUIDANCE), rows=_TRAJECTORIES, at_once=_AT_ONCE
    )
    student = train(
        teacher.denoiser.requires_grad_(True),
        _loss_on(sigmas),
        states,
        labels,
        iterations=recipe.iterations,
        seed=_SEED,
        batch=recipe.batch,
        peak_rate=recipe.peak_rate,
    )
    values, probe_labels = probe_values(teacher)
    settings = teacher.settings | {
        "seed": _SEED,
        "guidance": _GUIDANCE if teacher.settings["classes"] else None,
        "minutes": round((time.process_time() - start) / 60, 1),
        "held_out_loss": round(denoising_error(student, student, values, probe_labels), 5),
    }
    del settings["recipe"], settings["train_loss"]
    return TrainedNetwork(student, settings, teacher.mean, teacher.spectrum, teacher.probe, teacher.labels)


def _loss_on(sigmas: Tensor) -> Callable[[PredictingDenoiser, Tensor, Tensor, Generator], Tensor]:
    """The loss on whole trajectories (rows, len(sigmas) + 1, ...): each row at a level drawn for it."""

    def loss(student: PredictingDenoiser, rows: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        level = torch.randint(len(sigmas), (len(rows),), generator=generator)
        sigma, state = sigmas[level], rows[torch.arange(len(rows)), level]
        error = (student(state, sigma, labels=labels) - rows[:, -1]).square().mean(dim=(1, 2, 3))
        return (student.loss_weight(sigma).clamp(max=_LARGEST_WEIGHT) * error).mean()

    return loss


def draw_trajectories(subject: PlainSubject, *, rows: int, at_once: int) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, steps + 1, ...) states of the teacher's runs, the end last; (steps,) their levels; (rows,) labels.

    `at_once` rows are run together; it must divide `rows`.
    """
    flow = subject.sigma_range.flow
    sigmas = host_schedules(subject.sigma_range)["simple" if flow else "karras"](_STEPS)
    args, runs = subject.extra_args(at_once), []
    for seed in range(rows // at_once):
        states: list[Tensor] = []

        def keep(step: dict[str, Any], states: list[Tensor] = states) -> None:
            states.append(step["x"])

        start = subject.noise(at_once, seed) * float(sigmas[0])
        end = own_sampler("dpmpp_2m")(subject.denoiser, start, sigmas, extra_args=args, callback=keep)
        runs.append(torch.stack([*states, end], dim=1))
    labels = args["labels"] if "labels" in args else torch.zeros(at_once, dtype=torch.long)
    return torch.cat(runs), sigmas[:-1], labels.repeat(len(runs))


if __name__ == "__main__":
    main()
