"""The entry: help without torch, exit statuses, the progress bar, files written in one piece."""

import io
import os
import re
import subprocess
import sys
import time

import pytest
from sigmasmith.cli import progress
from sigmasmith.cli.files import write_file
from sigmasmith.cli.main import guarded, main
from sigmasmith.cli.parser import build_parser
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


def test_the_bar_tells_how_much_time_remains(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_REDRAW", 0.0)
    with progress.progress_bar("fit") as bar:
        bar(25, 100, "5 steps")
        time.sleep(0.01)
        bar(50, 100, "8 steps")
    assert re.search(r"\rfit: +50%\|.*50/100 \[00:00<00:00, .*8 steps\]", stream.getvalue())


def test_the_bar_writes_seldom_where_there_is_no_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.progress_bar("fit") as bar:
        for done in range(100):
            bar(done, 100)
    assert stream.getvalue() == ""


def test_the_bar_leaves_the_terminal_when_the_work_fails(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_REDRAW", 0.0)

    def work() -> None:
        with progress.progress_bar("fit") as bar:
            bar(1, 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert stream.getvalue().endswith(" \r")


def test_without_tqdm_the_work_runs_without_a_bar(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with progress.progress_bar("fit") as bar:
        bar(1, 2, "5 steps")
    assert capsys.readouterr().err == ""


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


def test_without_torch_a_sentence_says_what_is_missing_and_another_missing_module_keeps_its_traceback(capsys):
    assert guarded("p", raising(ModuleNotFoundError("No module named 'torch'", name="torch"))) == 2
    assert capsys.readouterr().err == "p: error: torch is not installed; it needs torch, numpy, scipy, safetensors\n"
    with pytest.raises(ModuleNotFoundError):
        guarded("p", raising(ModuleNotFoundError("No module named 'theirs'", name="theirs")))
