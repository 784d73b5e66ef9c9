"""A few programs of the rule corpus for real; all of them: ``python -m tests.rule_corpus.run``."""

from pathlib import Path

import pytest

from tests.rule_corpus.run import findings, judge, programs

ROBUST = ("deadlock", "gil-convoy")
"""Programs whose waits the program dictates, whatever else the machine does."""


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("variant", ["trigger", "healthy"])
def test_a_trigger_is_found_first_and_its_healthy_twin_is_left_alone(
    rule: str, variant: str, tmp_path: Path
) -> None:
    assert judge(rule, variant, findings(programs()[rule], variant, tmp_path)) == ""
