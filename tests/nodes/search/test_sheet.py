"""The contact sheet of a search: one tile for every draft, the best first, those run in full in a frame."""

from __future__ import annotations

import torch
from sigmasmith.nodes.plot_picture import FITTED
from sigmasmith.nodes.search.sheet import contact_sheet
from sigmasmith.schedules.search.rewards import ScoreReward
from sigmasmith.schedules.search.seeds import SeedSearch

REWARD = ScoreReward("brightness", lambda images: images.mean(dim=(1, 2, 3)))
FRAME = torch.tensor(FITTED) / 255.0


def search(count=5, scored=5):
    drafts = [torch.full((24, 32, 3), 0.1 + 0.15 * number) for number in range(count)]
    values = [draft.mean()[None] for draft in drafts[:scored]]
    return SeedSearch(REWARD, seeds=list(range(7, 7 + count)), drafts=drafts, measured=values, kept=[7 + scored - 1])


def framed(sheet):
    """Number of pixels in the frame's colour along the left edge of the first tile."""
    return int(((sheet[0, :160, :12] - FRAME).abs().amax(dim=-1) < 0.01).any(dim=1).sum())


def test_the_best_draft_stands_first_and_has_the_frame():
    sheet = contact_sheet(search())
    assert sheet.shape[0] == 1
    assert sheet.shape[-1] == 3
    assert 0.0 <= float(sheet.min()) <= float(sheet.max()) <= 1.0
    torch.testing.assert_close(sheet[0, 60, 100], torch.full((3,), 0.7), atol=0.01, rtol=0.0)
    assert framed(sheet) > 100


def test_drafts_without_a_score_come_last_and_one_draft_is_a_sheet_too():
    torch.testing.assert_close(contact_sheet(search(scored=2))[0, 60, 100], torch.full((3,), 0.25), atol=0.01, rtol=0.0)
    assert contact_sheet(search(1, 1)).shape[1] > 144
