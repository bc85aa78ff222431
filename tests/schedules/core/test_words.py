"""Sizes as people say them."""

from __future__ import annotations

import copy
import json

import pytest
from sigmasmith.schedules.core.words import Phrase, picture_size


@pytest.mark.parametrize(
    ("shape", "family", "said"),
    [
        ((4, 64, 96), "SD15", "768x512 pixels"),
        ((16, 128, 128), "Flux", "1024x1024 pixels"),
        ((16, 21, 60, 104), "WAN21_T2V", "832x480 pixels, 81 frames"),
        ((3, 32, 32), "", "32x32 pixels"),
        ((16, 24, 24), "StableCascade_C", "a latent of 16x24x24"),
        ((128, 7, 16, 24), "LTXV", "a latent of 128x7x16x24"),
        ((64,), "", "a latent of 64"),
    ],
)
def test_a_latent_is_named_by_the_pixels_of_its_picture(shape, family, said):
    assert picture_size(shape, family) == said


def test_a_phrase_is_its_english_text_and_keeps_what_it_was_made_of():
    phrase = Phrase("the preset {name}, with {sampler}", name="a {b}", sampler=Phrase("no sampler"))
    assert phrase == "the preset a {b}, with no sampler"
    assert json.loads(json.dumps(phrase)) == phrase
    assert phrase.template == "the preset {name}, with {sampler}"
    assert phrase.given == {"name": "a {b}", "sampler": "no sampler"}
    for copied in (copy.copy(phrase), copy.deepcopy(phrase)):
        assert (copied, copied.template, copied.given) == (phrase, phrase.template, phrase.given)
