"""The entry: help without torch, exit statuses, the progress bar, files written in one piece."""

import io
import os
import subprocess
import sys

import pytest
from sigmasmith.cli.files import write_file
from sigmasmith.cli.main import guarded, main
from sigmasmith.cli.parser import build_parser
from sigmasmith.cli.progress import ProgressBar, duration, progress_bar
from sigmasmith.schedules.fitting.effort import EFFORTS
from sigmasmith.schedules.fitting.settings import METHODS
from sigmasmith.schedules.samplers.rules import MULTISTEP_RULES


@pytest.mark.parametrize("command", [[], ["fit"], ["show"], ["compare"], ["plot"]])
def test_help_is_printed_with_an_example(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    assert "example" in capsys.readouterr().out


def test_help_names_every_sampler_effort_and_method(capsys):
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(name in said for name in [*MULTISTEP_RULES, "heun"])
    assert "{" + ",".join(EFFORTS) + "}" in said
    assert "{" + ",".join(METHODS) + "}" in said


def test_the_parser_is_built_without_torch():
    code = (
        "import sys; from sigmasmith.cli.parser import build_parser; build_parser(); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


def test_python_dash_m_runs_the_command_line():
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sigmasmith", "show"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "PRESET" in done.stderr


def test_no_command_is_a_mistake(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2


def test_options_are_never_guessed_from_their_beginning():
    with pytest.raises(SystemExit):
        build_parser().parse_args(["fit", "--mod", "digits_flow"])


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


def test_mistakes_and_interrupts_have_their_own_status(capsys):
    assert guarded("p", raising(ValueError("sigma"))) == 2
    assert guarded("p", raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.startswith("p: error: sigma\n")
    with pytest.raises(TypeError):
        guarded("p", raising(TypeError()))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_tells_how_much_time_remains():
    stream, now = Terminal(), [0.0]
    bar = ProgressBar("fit", stream=stream, clock=lambda: now[0])
    now[0] = 30.0
    bar(25, 100, "5 steps")
    assert stream.getvalue() == "\rfit  [######..................]  25 %, 1 min 30 s left  5 steps"
    bar.close()
    assert stream.getvalue().endswith("\r")


def test_the_bar_writes_plain_lines_where_there_is_no_terminal():
    stream, now = io.StringIO(), [0.0]
    bar = ProgressBar("fit", stream=stream, clock=lambda: now[0])
    bar(1, 100)
    assert stream.getvalue() == ""
    now[0] = 20.0
    bar(50, 100)
    bar.close()
    assert stream.getvalue().count("\n") == 1
    assert "\r" not in stream.getvalue()


def test_the_bar_leaves_the_terminal_when_the_work_fails(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)

    def work() -> None:
        with progress_bar("fit") as bar:
            bar._drawn -= 1.0
            bar(1, 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert stream.getvalue().endswith(" \r")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3599.6, "1 h 00 min"), (7260, "2 h 01 min")]
)
def test_durations_are_said_as_a_person_says_them(seconds, text):
    assert duration(seconds) == text


def test_a_file_is_replaced_in_one_piece_or_kept(tmp_path, monkeypatch):
    path = tmp_path / "sub" / "a.txt"
    write_file(path, "first\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"a\.txt cannot be written: No space left on device"):
        write_file(path, "second\n")
    assert path.read_bytes() == b"first\n"
    assert [file.name for file in path.parent.iterdir()] == ["a.txt"]
