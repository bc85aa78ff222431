"""What a graph samples with until a fit is used."""

from __future__ import annotations

from sigmasmith.nodes.fit.in_use import InUse, in_use_by

GRAPH = {
    "fit": {"class_type": "SigmasmithFit", "inputs": {"sampler_name": "euler", "scheduler": "beta", "steps": "10"}},
    "ours": {"class_type": "KSampler", "inputs": {"sampler_name": "euler", "scheduler": "sigmasmith_optimal"}},
    "load": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
    "sample": {"class_type": "KSampler", "inputs": {"sampler_name": "heun", "scheduler": "karras", "steps": 12}},
    "later": {"class_type": "KSampler", "inputs": {"sampler_name": "lms", "scheduler": "normal", "steps": 4}},
}


def test_it_is_the_first_sampler_node_that_runs_nothing_of_ours():
    assert in_use_by(GRAPH, "fit") == InUse("heun", "karras", 12)


def test_linked_steps_are_not_known():
    linked = {"sample": {"inputs": {"sampler_name": "heun", "scheduler": "karras", "steps": ["other", 0]}}}
    assert in_use_by(linked, "fit") == InUse("heun", "karras", None)


def test_without_one_nothing_is_known():
    assert in_use_by({name: GRAPH[name] for name in ("fit", "ours", "load")}, "fit") == InUse()
    assert in_use_by(None, "fit") == in_use_by({"odd": "no node"}, "fit") == InUse()
