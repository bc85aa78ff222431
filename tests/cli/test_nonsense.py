"""Nonsense on the command line: whatever is typed for an option is taken, or refused in one line with status 2."""

from __future__ import annotations

import argparse

import pytest
from sigmasmith.cli import compare, fit, search
from sigmasmith.cli.main import main
from sigmasmith.cli.parser import build_parser

NONSENSE = (
    "", " ", "-1", "0", "1", "0.5", "1e400", "-inf", "nan", "9" * 400, "9" * 5_000, "1,2,x", "1,,2", ",", "é" * 300,
    "../../x", "/dev/null/x", "con", "a:b", "os:path", "sigmasmith1:", "sigmasmith1:" + "Z" * 5_000, "5" * 30 + ",5",
    "[]", "None", "true", "a.safetensors",
)  # fmt: skip
# What runs: none of it may be started by chance, and all that comes before it must have held.
COMMANDS = {
    "fit": ["fit", "--model", "digits_flow"],
    "fit of an own model": [
        "fit", "--denoiser", "own_model:gaussian", "--shape", "2,3", "--sigma-min", "0.03", "--sigma-max", "10",
    ],
    "show": ["show", "sigmasmith1:x"],
    "compare": ["compare", "simple", "--model", "digits_flow"],
    "plot": ["plot", "karras", "--out", "-"],
    "search": ["search", "--model", "digits_flow"],
}  # fmt: skip


class Started(Exception):  # noqa: N818 (all checks were passed, which is no error)
    pass


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise Started

    monkeypatch.setattr(fit, "_fitted", started)
    monkeypatch.setattr(compare, "_case", started)
    monkeypatch.setattr(search, "search_seeds", started)


def options_of(command: str) -> list[str]:
    """Every option of a command that takes a value."""
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    actions = commands.choices[command]._actions
    return [action.option_strings[0] for action in actions if action.option_strings and action.nargs != 0]


CASES = [(name, option) for name, given in COMMANDS.items() for option in [*options_of(given[0]), ""]]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option"), CASES)
def test_any_value_of_an_option_is_taken_or_refused_in_one_line(folder, capsys, name, option):
    for value in NONSENSE:
        given = COMMANDS[name]
        arguments = (
            [*given, f"{option}={value}"] if option else [given[0], value, *given[2 if given[0] != "fit" else 1 :]]
        )
        try:
            status = main(arguments)
        except Started:
            continue
        except SystemExit as stopped:  # argparse's own refusal
            status = stopped.code
        printed = capsys.readouterr()
        assert status in (0, 2), (arguments, printed)
        assert status == 0 or printed.err.splitlines()[-1].startswith("python -m sigmasmith"), (arguments, printed)
