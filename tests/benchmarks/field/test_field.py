"""The comparison with the field on a case small enough for a test, and its tables on made-up records."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch
from sigmasmith.benchmarks.__main__ import main
from sigmasmith.benchmarks.field import readme
from sigmasmith.benchmarks.field.cases import FIELD_CASES, load_field_case
from sigmasmith.benchmarks.field.entries import compare
from sigmasmith.benchmarks.field.hindsight import Sieve, host_records
from sigmasmith.benchmarks.field.measure import FieldOptions, measure_case
from sigmasmith.benchmarks.field.methods import MULTISTEP
from sigmasmith.benchmarks.field.records import HOST, OURS, PUBLISHED, Record, read_records, write_records
from sigmasmith.benchmarks.field.tables import leading_entry, report

EVERYTHING = Sieve(rows=6, more_rows=6, more=1000, finalists=1000)


def made_up(case: str, method: str, sampler: str, steps: int, error: float, kind: str = HOST) -> Record:
    figures = {"low": error / 2, "middle": error, "high": 2 * error, "switched": 0.0, "distance": error**2}
    return Record(case, kind, method, sampler, steps, 8, error, **figures, agreement=1.0)


def records(leading: float = 0.05) -> list[Record]:
    found = []
    for case in ("digits_eps:1", "mixture_flow:3"):
        for steps in (5, 10, 20):
            scale = 5 / steps
            found += [
                made_up(case, "simple", "dpmpp_2m", steps, 0.4 * scale),
                made_up(case, "karras", "dpmpp_2m", steps, 0.2 * scale),
                made_up(case, "beta", "ipndm", steps, 0.1 * scale),
                Record(case, HOST, "normal", "dpmpp_2m", steps, 4, 0.01 * scale),
            ]
            if steps < 20:
                found.append(made_up(case, "GITS", "dpmpp_2m", steps, 0.16 * scale, PUBLISHED))
                ours = made_up(case, "ours, balanced", "dpmpp_2m", steps, leading * scale, OURS)
                found.append(replace(ours, evaluations=300.0, seconds=2.0, cpu=1.0))
    return found


@pytest.mark.slow
def test_the_sieve_keeps_what_an_exhaustive_run_finds_best():
    with torch.no_grad():
        case = load_field_case("mixture_flow:3", 12, 3)
        every = host_records(case, (5,), replace(EVERYTHING, rows=12, more_rows=12))
        few = host_records(case, (5,), Sieve(rows=4, more_rows=8, more=20, finalists=3))
    assert all(record.judged for record in every)
    best, found = compare(every), compare(few)
    for one, other in ((best.base, found.base), (best.best_of_all, found.best_of_all)):
        one, other = (entry.cells["mixture_flow:3", 5] for entry in (one, other))
        assert (one.method, one.sampler, one.error) == (other.method, other.sampler, other.error)
    names = [(r.method, r.sampler, r.steps) for r in few]
    assert len(names) == len(set(names))
    assert {steps for *_, steps in names} == {5, 10}  # 10 of dpmpp_2m, to hold 5 steps against


@pytest.mark.slow
def test_every_method_is_measured_on_the_same_noises():
    options = FieldOptions(
        noises=6,
        calibration=6,
        steps=(4, 5),
        fits=(("dpmpp_2m", "fast", (5,)), (MULTISTEP, "fast", (5,))),
        sieve=Sieve(2, 3, 4, 1),
    )
    found, seconds, _ = measure_case("mixture_eps:3", options)
    fitted = [r for r in found if r.kind != HOST]
    assert {r.method for r in fitted} == {"OSS", "GITS", "DMN", "AYS", "SharpEuler", "ours, fast"}
    assert all(r.judged and r.noises == 6 for r in fitted)
    assert {(r.sampler, r.steps) for r in fitted if r.kind == OURS} == {("dpmpp_2m", 5), (MULTISTEP, 5)}
    cost = {r.method: r.evaluations for r in fitted}
    assert cost["OSS"] == 100 + 5 * 100
    assert (cost["GITS"], cost["DMN"], cost["AYS"], cost["SharpEuler"]) == (60.0, 0.0, 64.0, 50.0)
    assert 0 < sum({(r.method, r.sampler[:4]): r.seconds for r in fitted if r.kind == OURS}.values()) < seconds
    assert sum(line.startswith("ours, fast") for line in report(compare(found))) == 2


def test_gains_are_geometric_averages_over_cases_beside_the_best_host():
    comparison = compare(records())
    assert comparison.steps == (5, 10)
    ours = leading_entry(comparison)
    assert ours is not None
    assert comparison.gain(ours, 5) == pytest.approx(4.0)
    assert comparison.gain(ours, 5, comparison.best_of_all) == pytest.approx(2.0)
    assert comparison.base.cells["digits_eps:1", 5].method == "karras"  # not the one that came to 4 noises only


def test_every_figure_asked_for_is_printed_beside_the_one_measured():
    text = "\n".join(report(compare(records())))
    assert "best host schedule*, dpmpp_2m / ours, 10 steps" in text
    assert "4.00   asked at least    4.00   reached" in text
    assert "best host schedule*, best of all* / ours, 10 steps" in text
    assert "2.00   asked at least    2.30   NOT REACHED" in text
    assert "100.00   asked at least   99.40   reached" in text
    assert "share of cases: 10 steps as near as 20 of the host" in text
    assert text.count("best host schedule*, dpmpp_2m / ours, 10 steps") == 2  # on all cases, on trained models
    worse = "\n".join(report(compare(records(leading=0.3))))
    assert "0.00   asked at least    0.75   NOT REACHED" in worse


def test_records_survive_the_file(tmp_path):
    write_records(tmp_path / "a" / "b.csv", records())
    again = read_records(tmp_path / "a" / "b.csv")
    assert [(r.case, r.kind, r.method, r.sampler, r.steps, r.noises, r.judged) for r in again] == [
        (r.case, r.kind, r.method, r.sampler, r.steps, r.noises, r.judged) for r in records()
    ]
    for one, other in zip(again, records(), strict=True):
        assert (one.error, one.distance, one.seconds) == pytest.approx(
            (other.error, other.distance, other.seconds), rel=1e-5, nan_ok=True
        )


def test_the_readme_gets_its_table_and_figure_from_the_file(tmp_path, capsys):
    write_records(tmp_path / "b.csv", records())
    assert readme.main(["--csv", str(tmp_path / "b.csv"), "--figure", str(tmp_path / "b.svg")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert "| **ours, balanced** | **dpmpp_2m** | **4.00x** | **4.00x** | **100.0 %** | **300** |" in lines
    root = ElementTree.parse(tmp_path / "b.svg").getroot()
    drawn = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"simple, dpmpp_2m", "best host schedule, dpmpp_2m", "GITS, dpmpp_2m", "ours, balanced, dpmpp_2m"} <= {
        *drawn
    }
    assert readme.main(["--csv", str(tmp_path / "b.csv"), "--figure", str(tmp_path / "c.svg"), "--trained"]) == 0
    assert "over 1 cases" in (tmp_path / "c.svg").read_text(encoding="utf-8")
    assert readme.main(["--csv", str(tmp_path / "none.csv")]) == 2


@pytest.mark.parametrize(("option", "name"), [("--cases", "digits_eps:7"), ("--methods", "LD3")])
def test_an_unknown_name_is_told_with_the_known_ones(option, name, capsys):
    assert main([option, name]) == 2
    error = capsys.readouterr().err
    assert name in error
    assert (next(iter(FIELD_CASES)) if option == "--cases" else "GITS") in error
