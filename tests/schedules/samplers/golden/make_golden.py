"""Writes runs.json, beside this script: end states of every run of runs.py, and digests of what callbacks were told.

    .venv/bin/python -P tests/schedules/samplers/golden/make_golden.py

The numbers are those of four separate loops, written before these became one. People's pictures hang on them: a change
here is a change of every picture.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def _runs_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sampler_runs", HERE.parent / "runs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    runs = _runs_module()
    lines = []
    for name, run in runs.all_runs().items():
        report = runs.Report()
        values = [float(f"{value:.9g}") for value in run(report).float().flatten().tolist()]
        record = {"end": values, "steps": report.steps, "told": report.digest}
        lines.append(f" {json.dumps(name)}: {json.dumps(record)}")
    (HERE / "runs.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
