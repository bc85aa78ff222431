"""The limit of a fit by the recursive search, known before it starts: it depends on the step counts alone.

The search evaluates about K * N / 2 states per sample, K the largest step count and N the teacher's levels, which is
more than effort "fast" allows any other method; a coarser grid would leave long schedules nothing to choose from.
"""

from __future__ import annotations

from ..problem import Problem
from .oss_shared import allowed

# Calls that find out whether rows can run alone.
_PROBES = 2


def oss_evaluations(nodes: int, steps: tuple[int, ...], corridor: bool = True) -> int:
    """Model calls of the search at most: one for each number of steps taken at each level that a schedule may visit."""
    return sum(allowed(steps, nodes, taken, node, corridor) for taken in range(max(steps)) for node in range(nodes))


def oss_limit(problem: Problem, hosts: int) -> float:
    """Evaluations per sample of a whole fit by this method: teacher, search, one run per count, held-out check.

    Args:
        hosts: schedules that the fitted ones are compared with at most.
    """
    effort, once = problem.effort, sum(problem.steps)
    teacher = effort.teacher_nodes + effort.check_nodes + _PROBES
    search = problem.share(problem.search) * (oss_evaluations(effort.teacher_nodes, problem.steps) + once)
    return teacher + search + problem.share(problem.held_out) * once * (1 + hosts)
