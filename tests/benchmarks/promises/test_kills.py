"""Killed fits of every kind are resumed on their own model alone, and pairs in one folder do not meet."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")
def test_two_kills_and_a_pair_of_every_kind_of_fit_go_right():
    command = [sys.executable, "-P", "-m", "sigmasmith.benchmarks.promises.kills", "--kills", "14", "--pairs", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 kills and 7 pairs: none wrong" in done.stdout
