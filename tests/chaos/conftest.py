"""The count of kills at the end of the tests; the threads of PyTorch."""

import pytest

from tests.programs.conftest import threads_as_before  # noqa: F401 - of localize.py, for the trainings after it


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter):
    """How many kills there were, how many of them met a running program, and how many were survived."""
    kinds = {
        outcome: [dict(report.user_properties).get("kill") for report in terminalreporter.stats.get(outcome, [])]
        for outcome in ("passed", "failed")
    }
    survived, killed = ([kill for kill in kills if kill] for kills in kinds.values())
    if survived or killed:
        late = [*survived, *killed].count("ended before")
        terminalreporter.write_line(
            f"kills survived: {len(survived)} of {len(survived) + len(killed)}, of which {late} came after the end"
        )
