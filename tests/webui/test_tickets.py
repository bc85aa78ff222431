"""Clicks on the panel's buttons."""

from __future__ import annotations

from sigmasmith.webui import tickets


def test_a_click_on_fit_now_is_good_for_one_fit():
    ticket, other = tickets.new_ticket(), tickets.new_ticket()
    assert tickets.is_ticket(ticket)
    assert tickets.take_ticket(ticket)
    assert not tickets.take_ticket(ticket)
    assert tickets.take_ticket(other)
    assert not tickets.take_ticket("of a host that has been started anew")
    assert not tickets.is_ticket(True)
