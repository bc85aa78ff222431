"""A real server killed at random moments of a fit: started again, it ends the fit as if it had never stopped.

In every other case the model is another one by then, and what was recorded is not taken up.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
import torch
from sigmasmith.schedules.presets.file import load_preset

from .answers import ok, preset_file, records, wait_for_records
from .graphs import Graph, node
from .pack_graphs import fit_graph
from .server import ComfyServer

pytestmark = [pytest.mark.host, pytest.mark.slow]

KILLS = 20
# Seconds that a fit may take on a machine that others use too.
PATIENCE = 600.0


def graph_of(name: str, *, changed: bool) -> Graph:
    """A fit of a model under RescaleCFG; changed, its multiplier is another one."""
    graph = fit_graph("tiny_sd3", name=name, steps="8")
    graph["rescale"] = node("RescaleCFG", model=["load", 0], multiplier=0.5 if changed else 0.7)
    graph["fit"]["inputs"]["model"] = ["rescale", 0]
    return graph


def lists(server: ComfyServer, name: str) -> dict[int, Any]:
    return dict(load_preset(preset_file(server, name)).schedules)


def test_a_fit_killed_at_any_moment_is_resumed_on_its_own_model_alone(server):
    clean, seconds, draw = {}, 0.0, random.Random(0)
    for changed in (False, True):
        start = time.monotonic()
        ok(server.run(graph_of(f"clean {changed}", changed=changed), PATIENCE))
        clean[changed], seconds = lists(server, f"clean {changed}"), time.monotonic() - start
    killed = resumed = 0
    while killed < KILLS:
        name, changed, before = f"killed {killed}", killed % 2 == 1, records(server)
        server.events.clear()
        server.queue(graph_of(name, changed=False))
        server.events.wait_for("progress", node="fit")
        if killed % 4 < 3:  # the others may be killed before there is a record
            wait_for_records(server, before)
        time.sleep(draw.uniform(0.0, 0.6 * seconds))
        server.kill()
        recorded = records(server) - before
        server.start()
        if preset_file(server, name).exists():  # the fit was quicker
            preset_file(server, name).unlink()
            continue
        ok(server.run(graph_of(name, changed=changed), PATIENCE))
        found = lists(server, name)
        assert found.keys() == clean[changed].keys()
        assert all(torch.equal(found[steps], clean[changed][steps]) for steps in found)
        assert (recorded <= records(server)) is changed or not recorded  # another model's are kept, its own used up
        killed, resumed = killed + 1, resumed + bool(recorded)
    assert resumed >= KILLS // 2
