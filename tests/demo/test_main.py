"""The demo fits, compares and draws; everything it promises lies in its folder."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image
from sigmasmith.cli import comparison
from sigmasmith.demo.__main__ import main
from sigmasmith.demo.picture import Row, sample_sheet
from sigmasmith.schedules.presets.file import load_preset
from sigmasmith.schedules.presets.share_code import from_share_code

QUICK = ["--cases", "digits_flow:1", "--steps", "2,3", "--noises", "3", "--calibration-noises", "3", "--effort", "fast"]


class Run(NamedTuple):
    """One quick demo: its folder, and what it printed."""

    folder: Path
    out: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder, printed = tmp_path_factory.mktemp("run") / "demo", io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
        # What is written and printed counts here, not how near anything ends.
        patch.setattr(comparison, "REFERENCE_LEVELS", 40)
        patch.setattr(comparison, "COARSE_LEVELS", 20)
        assert main([*QUICK, "--out", str(folder)]) == 0
    return Run(folder, printed.getvalue())


@pytest.mark.slow
def test_the_demo_writes_presets_plot_picture_and_report(demo):
    folder, out = demo
    assert {path.name for path in folder.iterdir()} == {
        "digits_flow_sigmasmith_multistep.safetensors",
        "digits_flow_dpmpp_2m.safetensors",
        "digits_flow_curves.svg",
        "digits_flow_samples.png",
        "report.txt",
    }
    assert (folder / "report.txt").read_text(encoding="utf-8") == out
    assert list(load_preset(folder / "digits_flow_dpmpp_2m.safetensors").schedules) == [2, 3]
    assert ElementTree.fromstring((folder / "digits_flow_curves.svg").read_text(encoding="utf-8")).get("role") == "img"
    with Image.open(folder / "digits_flow_samples.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.slow
def test_the_demo_prints_every_host_schedule_a_takeaway_and_a_share_code(demo):
    out = demo.out
    for name in (
        "fitted",
        "simple",
        "karras",
        "oss_flux",
        "best host / fitted",
        "In short: 2 and 3 fitted steps",
        "All 2 tables",
    ):
        assert name in out
    code = next(line for line in out.splitlines() if line.strip().startswith("sigmasmith1:"))
    assert list(from_share_code(code).schedules) == [2]


@pytest.mark.parametrize(
    ("arguments", "named"), [(["--cases", "unheard_of:1"], "must be one of"), (["--noises", "1"], "--noises")]
)
def test_a_mistake_of_the_demo_is_one_line(tmp_path, capsys, arguments, named):
    assert main([*QUICK, *arguments, "--out", str(tmp_path)]) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def sheet(*rows: Row) -> Image.Image:
    return Image.open(io.BytesIO(sample_sheet("title", "remark", rows, tile=16)))


def test_a_sheet_grows_by_rows_and_columns():
    images = torch.zeros(3, 1, 8, 8)
    one, two = sheet(Row("a", "", images)), sheet(Row("a", "", images), Row("b", "", images))
    assert two.height - one.height == 22
    assert sheet(Row("a", "", torch.zeros(5, 1, 8, 8))).width - one.width == 2 * 22


def test_a_difference_is_red_where_too_bright_and_blue_where_too_dark():
    target = torch.zeros(2, 1, 8, 8)
    shown = sheet(Row("a", "", target + torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1), target))
    colours = {shown.getpixel((x, shown.height - 19)) for x in range(shown.width)}
    assert {(255, 0, 0), (0, 0, 255)} <= colours


def test_colour_images_are_shown_in_colour():
    image = torch.tensor([1.0, -1.0, -1.0]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    shown = sheet(Row("a", "", image))
    assert (255, 0, 0) in {shown.getpixel((x, shown.height - 20)) for x in range(shown.width)}


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="rows"):
        sample_sheet("title", "remark", [])
