"""The published search: the loops of the paper, written out plainly, give the same paths."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.analytic import power_law, random_mixture
from sigmasmith.schedules.fitting.budget import Budget
from sigmasmith.schedules.fitting.direct import DirectRun
from sigmasmith.schedules.fitting.refine.oss import published_oss
from sigmasmith.schedules.fitting.refine.oss_per_image import median_nodes
from sigmasmith.schedules.hosting.named_curves import CURVES

NODES, STEPS, IMAGES = 14, 5, 6


def plain_paths(model, x, times, scale):
    """Eq. 9 to 11 with the authors' bookkeeping, levels outside: cost, trace and state go over to the next level."""
    teacher = {NODES: x}
    for node in range(NODES, 0, -1):
        step = (times[node - 1] / times[node]).float()
        found = model(teacher[node], times[node].float().expand(1))
        teacher[node - 1] = found + step * (teacher[node] - found)
    cost, trace = [float("inf")] * (NODES + 1), [NODES] * (NODES + 1)
    state, traces = [x * scale(node) for node in range(NODES + 1)], []
    for _ in range(STEPS):
        ahead = list(state)
        for node in range(NODES, 0, -1):
            found = model(state[node], times[node].float().expand(1))
            for lower in range(node - 1, -1, -1):
                landed = found + (times[lower] / times[node]).float() * (state[node] - found)
                here = float((landed - teacher[lower]).square().mean())
                if here < cost[lower]:
                    cost[lower], trace[lower], ahead[lower] = here, node, landed
        state = ahead
        traces.append(list(trace))
    path = [0]
    for level in reversed(traces):
        path.append(level[path[-1]])
    return path[1:]


@pytest.mark.slow
@pytest.mark.parametrize(("flow", "flow_states"), [(True, False), (False, False), (False, True)])
def test_paths_are_those_of_the_plain_loops(flow, flow_states):
    low, high = (0.003, 1.0) if flow else (0.03, 14.6)
    model = random_mixture(1, power_law(16, 1.0), flow=flow)
    sigmas = CURVES["karras"](NODES, low, high, flow=flow)
    x = high * torch.randn(IMAGES, 16, generator=torch.Generator().manual_seed(0))
    budget = Budget(IMAGES, 1.0)
    run = DirectRun(model, x, {})
    found = published_oss(run, sigmas, (3, STEPS), rows=slice(0, IMAGES), budget=budget, flow_states=flow_states)
    assert budget.spent == NODES + STEPS * NODES
    times = sigmas.double().flip(0)

    def scale(node):
        return float((1 + times[node]) / (1 + times[-1])) if flow_states else 1.0

    expected = [plain_paths(model, x[i : i + 1], times, scale) for i in range(IMAGES)]
    assert found.paths[STEPS] == expected
    nodes = sorted(set(median_nodes(expected)), reverse=True)
    assert torch.equal(found.schedules[STEPS][:-1], sigmas.flip(0)[nodes])


def test_median_is_the_authors_own():
    assert median_nodes([[1, 9], [2, 5], [4, 7], [8, 8]]) == [3, 7]
    assert median_nodes([[1], [3], [8]]) == [2]  # of an odd number: the middle one averaged with the one below
    assert median_nodes([[6, 7]]) == [6, 7]


def test_the_start_noise_at_a_lower_node_may_begin_a_path():
    model = random_mixture(1, power_law(16, 1.0))
    sigmas = CURVES["karras"](NODES, 0.03, 14.6)
    x = 14.6 * torch.randn(IMAGES, 16, generator=torch.Generator().manual_seed(0))
    run, rows = DirectRun(model, x, {}), slice(0, IMAGES)
    found = published_oss(run, sigmas, (STEPS,), rows=rows, budget=Budget(IMAGES, 1.0), flow_states=True)
    assert any(path[-1] < NODES for path in found.paths[STEPS])
