"""The registry: every member says what it is, and is that."""

from __future__ import annotations

import pytest
import torch
from sigmasmith.benchmarks.zoo.__main__ import table
from sigmasmith.benchmarks.zoo.members import MEMBERS, MIXTURES, NETWORKS, member_pictures, zoo_members, zoo_subject
from sigmasmith.benchmarks.zoo.recipes import RANGES, RECIPES
from sigmasmith.benchmarks.zoo.templates import NEEDS_ARRAYS
from sigmasmith.benchmarks.zoo.weights import FOLDER
from sigmasmith.demo.models.weights import DEMO_NAMES

BUILT_ANYWHERE = [name for name in MEMBERS if name not in MIXTURES or MIXTURES[name].source not in NEEDS_ARRAYS]


def test_every_file_is_a_member_with_a_recipe():
    assert set(NETWORKS) <= set(RECIPES)
    assert set(MEMBERS) == {*NETWORKS, *DEMO_NAMES, *MIXTURES}
    assert [member.name for member in zoo_members()] == list(MEMBERS)


@pytest.mark.parametrize("name", BUILT_ANYWHERE)
@pytest.mark.slow
def test_a_member_is_what_its_facts_say(name):
    member, subject = MEMBERS[name], zoo_subject(name, 2.0)
    assert subject.shape == member.shape
    assert subject.classes == member.classes
    assert subject.sigma_range == subject.identity.sigma_range
    assert subject.sigma_range.flow == member.range.flow
    assert subject.sigma_range.sigma_max == pytest.approx(member.range.sigma_max)
    assert subject.sigma_range.sigma_min == pytest.approx(member.range.sigma_min)
    x, sigma = subject.noise(2, 0), torch.full((2,), 0.5)
    denoised = subject.denoiser(x, sigma, **subject.extra_args(2))
    assert denoised.shape == x.shape
    assert denoised.isfinite().all()
    assert member_pictures(name, denoised).shape[1] in (1, 3)


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in BUILT_ANYWHERE])
def test_a_mixture_of_clip_art_without_its_array_names_the_command(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"sigmasmith\.benchmarks\.zoo\.data"):
        zoo_subject(name, 1.0)


def test_a_name_that_is_none_is_refused():
    with pytest.raises(ValueError, match="none_such"):
        zoo_subject("none_such", 1.0)


def test_mixtures_cover_sizes_channels_spectra_and_ranges():
    settings = MIXTURES.values()
    assert {mixture.size for mixture in settings} == {8, 16, 32, 64}
    assert {1, 3, 4, 16} <= {mixture.channels for mixture in settings}
    assert {mixture.range for mixture in settings} == set(RANGES) - {"flow3"}  # that the first networks were trained in


def test_the_table_has_a_line_for_every_member():
    lines = table(zoo_members())
    assert len(lines) == len(MEMBERS) + 2
    assert len({line.count("|") for line in lines}) == 1
    for name, line in zip(MEMBERS, lines[2:]):
        assert name in line


def test_the_files_stay_small():
    sizes = [path.stat().st_size for path in FOLDER.glob("*.safetensors")]
    assert max(sizes) <= 1.5e6
    assert sum(sizes) <= 12e6
