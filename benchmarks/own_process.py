"""Measures in a process of its own, in which nothing of another measurement is left."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_own_process(work: Callable[..., Result], *arguments: object) -> Result:
    """What `work` returns in a process that has done nothing else; what it raises is raised here.

    Args:
        work: a function of a module, which the new process imports.
        arguments: what to call it with.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
