"""Every one of the self-test's zoo through Fit, Apply, Compare, Adaptive and Variance on the host's own classes.

What each node says is right, or told, or a refusal with the reason; and nothing of ours is in the log.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..schedules.fitting.self_test.hostile_guiders import GUIDERS
from ..schedules.fitting.self_test.hostile_patches import PATCHES
from ..schedules.fitting.self_test.hostile_samplers import SAMPLERS
from ..schedules.fitting.self_test.zoo import ALONE, REFUSED, RIGHT, WHOLE, Hostile
from .locate import clean_environment, find_host

pytestmark = [pytest.mark.host, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("hostile_cells.py")
ZOO = {
    f"{kind} {name}": hostile
    for kind, held in (("guider", GUIDERS), ("patch", PATCHES), ("sampler", SAMPLERS))
    for name, hostile in held.items()
}
SAID = {RIGHT: (), WHOLE: ("every run was made whole",), ALONE: ("ran alone", "takes one image at a time")}
# On the host's latents a quantile over two images is nearly that over one: which it is, the cell's own numbers say.
CLOSE = {"guider batch threshold"}
# Compare measures what a person asks for, and says what its numbers are worth.
COMPARED = ("draws noise", "gives another result", "others in its batch", "cannot be used", "chooses its noise levels")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    command = [str(host.python), "-P", str(SCRIPT), str(host.path), str(Path(__file__).resolve().parents[2])]
    done = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def check(entry: dict[str, str], expected: str, words: str) -> None:
    """One cell of a tool that refuses."""
    if expected == REFUSED:
        assert entry["refused"], entry
        assert entry["words"].startswith(("model:", "sampler:", "the model returned")), entry
        assert words in entry["words"], entry
        return
    assert not entry["refused"], entry
    if expected == RIGHT:
        assert not any(said in entry["words"] for kind in (WHOLE, ALONE) for said in SAID[kind]), entry
    else:
        assert any(said in entry["words"] for said in SAID[expected]), entry


@pytest.mark.parametrize("tool", ["fit", "apply", "compare", "adaptive", "variance"])
def test_no_cell_is_silently_wrong(found, tool):
    cells = found["cells"][tool]
    assert cells.keys() == ZOO.keys()
    wrong = {name: entry for name, entry in cells.items() if entry["wrong"]}
    assert not wrong


@pytest.mark.parametrize("name", ZOO)
def test_fit_and_adaptive_say_what_they_had_to_do_or_refuse(found, name):
    hostile: Hostile = ZOO[name]
    if name not in CLOSE:
        check(found["cells"]["fit"][name], hostile.expected, hostile.words)
        without_memory = RIGHT if hostile.expected == WHOLE else hostile.expected
        check(found["cells"]["adaptive"][name], without_memory, hostile.words)


@pytest.mark.parametrize("name", ZOO)
def test_compare_runs_every_sampler_and_tells_what_its_numbers_are_worth(found, name):
    hostile, entry = ZOO[name], found["cells"]["compare"][name]
    if name.startswith("sampler"):
        assert not entry["refused"], entry
        told = any(said in entry["words"] for said in (*COMPARED, "failed:"))
        assert told is (hostile.expected == REFUSED), entry
    elif name not in CLOSE:
        check(entry, RIGHT if hostile.expected == WHOLE else hostile.expected, hostile.words)


@pytest.mark.parametrize("tool", ["apply", "variance"])
def test_what_runs_in_a_persons_own_run_never_ends_it(found, tool):
    """Where the host's own run fails, so does this: the cells themselves hold the two against each other."""
    for name, entry in found["cells"][tool].items():
        assert not entry["refused"], (name, entry)


def test_the_log_holds_no_traceback(found):
    assert found["log"] == []
