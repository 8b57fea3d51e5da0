"""Errors of PyTorch become sentences with a remedy."""

import pytest
import torch

from common.errors import UserError
from training.interrupts import explained_errors


class BackendCompilerFailed(RuntimeError):
    """PyTorch's own is private; it is known by its name."""


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), UserError, "--accumulate 2"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), UserError, "--accumulate 2"),
        (ConnectionResetError(104, "Connection reset by peer"), UserError, "--num_threads"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), UserError, "--num_threads"),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated. "), KeyboardInterrupt, None),
        (BackendCompilerFailed("no compiler"), UserError, "--compile 0"),
        (RuntimeError("Caught RuntimeError in DataLoader worker process 0."), RuntimeError, "Caught"),
        (RuntimeError("Caught it in DataLoader worker\nunable to allocate shared memory(shm)"), UserError, r"\(unable"),
        (RuntimeError("a bug"), RuntimeError, "a bug"),
    ],
)
def test_errors_that_the_user_can_mend_are_explained_and_bugs_are_not(error, raised, words):
    with pytest.raises(raised, match=words) as found, explained_errors():
        raise error
    assert found.type is raised
