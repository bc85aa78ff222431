"""What we say in the host's log."""

from __future__ import annotations

import logging

import pytest
from sigmasmith.webui.log import say, show_log, signed


def test_our_name_stands_once_before_every_sentence():
    assert signed("8 steps") == "Sigmasmith: 8 steps"
    assert signed("Sigmasmith Optimal: 8 steps") == "Sigmasmith Optimal: 8 steps"


def test_a_warning_is_one(caplog):
    with caplog.at_level("INFO", logger="sigmasmith"):
        say("8 steps")
        say("no preset", warning=True)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "Sigmasmith: 8 steps"),
        ("WARNING", "Sigmasmith: no preset"),
    ]


@pytest.fixture
def logger():
    logger = logging.getLogger("sigmasmith")
    before = logger.level, logger.handlers[:], logger.propagate
    logger.handlers.clear()
    yield logger
    logger.level, logger.handlers[:], logger.propagate = before


def test_our_lines_reach_the_console_once_however_often_the_page_is_reloaded(logger, capsys):
    show_log()
    show_log()
    say("8 steps")
    assert capsys.readouterr().err == "Sigmasmith: 8 steps\n"
