"""What presets record of a host's model object."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sigmasmith.schedules.hosting.model_facts import shift_of, table_hash


def test_the_hash_is_of_the_float32_table_whatever_its_type_and_layout():
    table = torch.linspace(0.1, 14.0, 10, dtype=torch.float32)
    wanted = hashlib.sha256(table.numpy().astype("<f4").tobytes()).hexdigest()
    strided = torch.stack([table.double(), -table.double()], dim=1)[:, 0]
    assert table_hash(SimpleNamespace(sigmas=table)) == table_hash(SimpleNamespace(sigmas=strided)) == wanted


@pytest.mark.parametrize("sampling", [None, SimpleNamespace(), SimpleNamespace(sigmas=np.ones(3))])
def test_without_a_table_there_is_no_hash(sampling):
    assert table_hash(sampling) is None


def test_a_shift_is_a_positive_number_or_nothing():
    assert shift_of(SimpleNamespace(shift=3)) == 3.0
    for odd in (None, 0, -1.0, "3"):
        assert shift_of(SimpleNamespace(shift=odd)) is None
    assert shift_of(None) is None
