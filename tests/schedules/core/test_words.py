"""Sizes as people say them."""

from __future__ import annotations

import pytest
from sigmasmith.schedules.core.words import picture_size


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
