"""The threads of PyTorch."""

from tests.programs.conftest import threads_as_before  # noqa: F401 - of localize.py, for the trainings after it
