"""What a Dask worker is given to do: cut one video, as a worker process on this machine would.

It is sent to the workers as code: neither they nor the scheduler, which unpickles it on the way, can import this
repository before they are told where it lies. So nothing of it is imported at the top, nor taken or returned.
"""

import importlib
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Where the work and its results are, on all machines.

    Attributes:
        root: this repository.
        module: in which the function is that cuts a video.
        function: its name.
        probe: a file in the folder of the results: who does not see it looks at another folder.
    """

    root: Path
    module: str
    function: str
    probe: Path


def problem_here(place: Place) -> str | None:
    """Why this worker cannot do the work; None if it can."""
    host = socket.gethostname()
    if not os.path.exists(place.probe):  # that of a Path raises PermissionError
        return f"{host} does not see {place.probe.parent}: workers need the same --data_dir, on a shared file system"
    if not os.access(place.probe.parent, os.W_OK):
        return f"{host} cannot write into {place.probe.parent}: start its workers as a user who can"
    try:
        import_function(place.root, place.module, place.function)
    except Exception as error:  # importing runs code, and an older one may lack the function
        return f"{host} cannot import the work ({error}): workers need {place.root} and its requirements.txt"
    return None


def import_function(root: Path, module: str, function: str) -> Callable:
    """A function of the repository at `root`.

    Raises:
        ImportError: it is not there, or needs a package that is missing, or another `data` was imported before.
    """
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
    imported = importlib.import_module(module)
    if not Path(imported.__file__).is_relative_to(root):
        raise ImportError(f"it has imported {module} from {imported.__file__}; restart it")
    return getattr(imported, function)


def cut_here(place: Place, folder: Path, name: str, arguments: tuple) -> tuple[str | None, str | None]:
    """Cut one video, unless it is finished: when a worker dies, Dask has others do again what it had done.

    Args:
        place: where the work is.
        folder: of the video's results.
        name: NAME of the video.
        arguments: of the function that cuts it.

    Returns:
        Failure and note, as those of `data.preprocess.runner.VideoResult`.
    """
    if problem := problem_here(place):
        return problem, None
    attempt = import_function(place.root, "data.preprocess.runner", "attempt")
    is_finished = import_function(place.root, "data.preprocess.program", "is_finished")
    if is_finished(folder):
        return None, None
    outcome = attempt(import_function(place.root, place.module, place.function), name, *arguments)
    return outcome.failure, outcome.note
