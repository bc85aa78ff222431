"""The README stays one page, and what it and docs/ point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# [text](target) and ![text](target).
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> list[str]:
    """The lines outside blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE).split("\n")


def heading_links(page: Path) -> set[str]:
    """What a link into a page may name: its headings as hosts of Markdown write them."""
    heads = [line.lstrip("#").strip().lower() for line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in heads}


def test_the_readme_is_one_page():
    assert (ROOT / "README.md").stat().st_size <= 8 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_and_picture_is_there(page):
    targets = [target for line in prose(page) for target in LINK.findall(line)]
    for target in targets:
        if re.match(r"https?:", target):
            continue
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), target
        assert there.is_relative_to(ROOT), target
        assert not heading or heading in heading_links(there), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_lines_of_prose_are_wrapped_at_100(page):
    """Rows of tables cannot be."""
    for line in prose(page):
        assert len(line) <= 100 or line.startswith("|"), line


def test_ci_runs_the_test_command_of_the_readme():
    command = (ROOT / ".ci" / "run").read_text(encoding="utf-8").strip().split("\n")[-1]
    assert command.startswith("make ")
    assert f"\n{command} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_target_that_the_docs_name_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z][\w-]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"\n{target}:" in makefile, (page.name, target)
