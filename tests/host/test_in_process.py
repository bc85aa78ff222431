"""The pack against the host's own classes: in_process.py, run by the host's interpreter, one result per test in it."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

import pytest

from .locate import Host, clean_environment, find_host

pytestmark = [pytest.mark.host, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("in_process.py")
NAMES = [
    item.name
    for checks in sorted(SCRIPT.parent.glob("checks_*.py"))
    for item in ast.parse(checks.read_text(encoding="utf-8")).body
    if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
]


@pytest.fixture(scope="module")
def results() -> dict[str, str | None]:
    host, reason = find_host()
    if host is None:
        pytest.skip(reason)
    return run_script(host)


def run_script(host: Host) -> dict[str, str | None]:
    # -P: with the script's folder first, `import nodes` inside the host would find ours.
    done = subprocess.run(
        [str(host.python), "-P", str(SCRIPT), str(host.path), str(ROOT)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    for name, figure in answer["figures"].items():
        numbers = figure if isinstance(figure, list) else [figure]
        print(f"{name}: {', '.join(f'{number:g}' for number in numbers)}")
    return answer["results"]


@pytest.mark.parametrize("name", NAMES)
def test_in_the_hosts_process(results, name):
    assert results[name] is None, results[name]
