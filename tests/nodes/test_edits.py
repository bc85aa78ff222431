"""Which edits a fit of before serves without a word, and the name of a preset that nobody named."""

from __future__ import annotations

from sigmasmith.nodes.edits import derived_name, same_guidance, stem_of
from sigmasmith.schedules.presets.names import check_name


def test_a_guidance_that_differs_by_less_than_a_tenth_is_the_same_one():
    assert same_guidance(7.0, 7.05)
    assert same_guidance(7.0, 6.4)
    assert not same_guidance(7.0, 6.0)
    assert same_guidance(None, None)
    assert not same_guidance(None, 1.0)


def test_a_derived_name_holds_what_ordinary_edits_leave_and_is_a_name():
    names = [derived_name(("a<b>:c.safetensors",), "euler"), derived_name((None, "low.gguf"), "lms", 0.55)]
    assert names == ["a_b__c, euler", "model, low, lms, denoise 0.55"]
    for name in names:
        check_name(name)


def test_a_stem_is_never_empty():
    assert [stem_of(file) for file in (None, "", "...", "x.ckpt")] == ["model", "model", "model", "x"]
