"""A small part of ``make fuzz``, the same calls every time."""

import pytest
from fuzz import run


@pytest.mark.parametrize("first", range(0, 240, 60))
def test_drawn_calls_give_results_or_clear_errors(first):
    faults, verdicts = run(range(first, first + 60))
    assert not faults
    assert verdicts["result"] >= 15 and verdicts["refused"] >= 15
