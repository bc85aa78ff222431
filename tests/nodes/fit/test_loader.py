"""The file that a model comes from, by the queued graph."""

from __future__ import annotations

import pytest
from sigmasmith.nodes.fit.loader import loaded_file


def graph(**nodes: dict) -> dict:
    return {name: {"class_type": "Any", "inputs": inputs} for name, inputs in nodes.items()}


def test_the_file_is_found_through_all_that_lies_between():
    queued = graph(
        load={"ckpt_name": "people/mine.safetensors"},
        lora={"model": ["load", 0], "clip": ["load", 1], "lora_name": "style.safetensors", "strength_model": 1.0},
        shift={"model": ["lora", 0], "shift": 3.0},
        auto={"model": ["shift", 0], "tune": "quick"},
    )
    assert loaded_file(queued, "auto") == "mine.safetensors"


def test_the_name_is_bare_on_every_system_and_any_kind_of_weights_counts():
    queued = graph(load={"weight_dtype": "default", "unet_name": "flux\\dev.GGUF"}, auto={"model": ["load", 0]})
    assert loaded_file(queued, "auto") == "dev.GGUF"


@pytest.mark.parametrize(
    "queued",
    [
        None,
        {},
        graph(auto={}),
        graph(auto={"model": ["gone", 0]}),
        graph(auto={"model": ["auto", 0]}),
        graph(auto={"model": ["a", 0]}, a={"model": ["auto", 0]}),
        graph(auto={"model": ["load", 0]}, load={"name": "no file"}),
        graph(
            auto={"model": ["merge", 0]},
            merge={"model1": ["a", 0], "model2": ["b", 0], "name": "x.safetensors"},
            a={"ckpt_name": "a.safetensors"},
            b={"ckpt_name": "b.safetensors"},
        ),
        {"auto": {"inputs": {"model": ["load", 0]}}, "load": "no node"},
    ],
)
def test_a_graph_that_does_not_tell_it_gives_none(queued):
    assert loaded_file(queued, "auto") is None
