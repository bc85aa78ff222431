"""The simulation of a fleet: cases whose answer is known, and what the documentation says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sigmasmith.benchmarks.studies.fleet import CASES, SECONDS, STORE, FleetCase, SharedStore, efficiency, lines

DOC = Path(__file__).resolve().parents[3] / "docs" / "fleet.md"


def test_a_store_serves_two_at_half_the_speed_each():
    store = SharedStore(bandwidth=1.0)
    store.fetch(0.0, 0, 10.0)
    store.fetch(5.0, 1, 10.0)  # the first has 5 GB left: both run at half speed
    assert store.next_end() == pytest.approx(15.0)
    assert store.pop(15.0) == 0
    assert store.next_end() == pytest.approx(20.0)
    assert store.pop(20.0) == 1
    assert store.next_end() is None


def test_one_worker_alone_loses_only_what_it_fetches():
    fits, fetched = 60, 6
    found = efficiency(FleetCase("", checkpoints=fetched), 1, fits)
    assert found == pytest.approx(1.0 / (1.0 + fetched * 6.5 / STORE / (fits * SECONDS)), rel=0.05)


def test_jobs_by_checkpoint_are_never_slower_than_in_any_order():
    for workers in (5, 20, 60):
        grouped, mixed = (efficiency(FleetCase("", 30, grouped), workers, 600) for grouped in (True, False))
        assert grouped >= mixed


@pytest.mark.slow
def test_the_documentation_prints_this_table():
    documented = re.search(r"```\n(efficiency in %.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert documented is not None
    assert documented.group(1).splitlines() == lines(CASES)
