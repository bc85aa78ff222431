"""Every one of the zoo alone through every tool, and pairs of them: right, told or refused with the reason."""

from __future__ import annotations

import random

import pytest

from .hostile_guiders import GUIDERS
from .hostile_patches import PATCHES
from .hostile_samplers import SAMPLERS
from .tools import TOOLS, Cell, Told, fit
from .zoo import ALONE, REFUSED, RIGHT, TOLD, WHOLE, Hostile

# Not needed at every save, all of them together.
pytestmark = pytest.mark.slow

# What Compare and Adaptive have to say less: they remember no calls.
WITHOUT_MEMORY = {RIGHT: RIGHT, WHOLE: RIGHT, ALONE: ALONE, REFUSED: REFUSED}
# What Variance tells: of samplers that draw noise, and of models and samplers beside that.
NOISY = ("torch noise", "numpy noise", "seeded noise", "half told", "own generator", "remembering")
TOLD_OF = {
    "draws random numbers": ("annealed", "torch noise", "numpy noise", "python noise", "merged at random"),
    "another result each time": ("endless momentum", "own generator", "counting"),
    "others in its batch": ("batch threshold", "shared style", "mean of the batch", "last row", "first row"),
}
GUIDES = [(Cell(guider=name), hostile) for name, hostile in GUIDERS.items()]
PATCHED = [(Cell(patches=(name,)), hostile) for name, hostile in PATCHES.items()]
SAMPLED = [(Cell(sampler=name), hostile) for name, hostile in SAMPLERS.items()]


def check(told: Told, expected: str, words: str = "") -> None:
    assert not told.wrong, told
    assert told.kind == expected, told
    assert words in told.words or expected not in (REFUSED, TOLD), told
    if expected == REFUSED:
        assert told.words.startswith(("model:", "sampler:", "the model returned", "draws noise")), told


def expected_of(tool: str, cell: Cell, hostile: Hostile) -> tuple[str, str]:
    if tool == "variance":
        if cell.sampler in NOISY:
            return TOLD, "draws noise"
        made_of = {cell.guider, *cell.patches, cell.sampler}
        words = [words for words, names in TOLD_OF.items() if made_of & set(names)]
        return (TOLD, words[0]) if words else (RIGHT, "")
    kind = hostile.expected if tool in ("fit", "apply") else WITHOUT_MEMORY[hostile.expected]
    return kind, hostile.words


def in_words(value: object) -> str:
    """An id that is the same in every process: what a cell is made of, and what is expected of the hostile ones."""
    if isinstance(value, (tuple, list)):
        return "+".join(map(in_words, value))
    return str(getattr(value, "expected", value))


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("cell", "hostile"), [*GUIDES, *PATCHED, *SAMPLED], ids=in_words)
def test_every_one_alone_is_right_told_or_refused_with_the_reason(tool, cell, hostile):
    check(TOOLS[tool](cell), *expected_of(tool, cell, hostile))


def test_the_zoo_is_as_large_as_it_was_asked_to_be():
    assert len(GUIDERS) >= 12
    assert len(PATCHES) >= 20
    assert len(SAMPLERS) >= 20
    assert len(TOOLS) * (len(GUIDES) + len(PATCHED) + len(SAMPLED)) >= 260


def pairs() -> list[tuple[Cell, list[Hostile]]]:
    """100 pairs of two kinds, drawn with a fixed seed."""
    drawn, chance = [], random.Random(15)
    while len(drawn) < 100:
        kinds = chance.sample(["guider", "patch", "sampler"], 2)
        guider = chance.choice(list(GUIDERS)) if "guider" in kinds else "plain"
        patch = chance.choice(list(PATCHES)) if "patch" in kinds else "none"
        sampler = chance.choice(list(SAMPLERS)) if "sampler" in kinds else "euler"
        drawn.append((Cell(guider, (patch,), sampler), [GUIDERS[guider], PATCHES[patch], SAMPLERS[sampler]]))
    return drawn


@pytest.mark.parametrize(("cell", "hostiles"), pairs(), ids=in_words)
def test_a_pair_is_never_silently_wrong(cell, hostiles):
    told, kinds = fit(cell), {hostile.expected for hostile in hostiles}
    assert not told.wrong, told
    if REFUSED in kinds:
        assert told.kind == REFUSED, told
    elif kinds == {RIGHT}:
        assert told.kind == RIGHT, told
    else:  # memory and rows that cannot run together are refused, or the one hides the other
        assert told.kind in (WHOLE, ALONE, REFUSED), told
