"""``dmc.pkl`` and ``dmc.csv``: the maps of every test frame, and how far each sound is from what it was matched to.

``dmc.pkl`` is a plain pickled dict: ``NAME/frame_013/00411`` -> float32 [v_cluster, h, w], assignments that sum to 1
over the first axis. Row j < a_cluster is the map matched to sound cluster j, the others follow by distance.
``dmc.csv`` has a line ``key,distance_0,...`` for each frame: the distance of each sound cluster to its visual cluster.
"""

import csv
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data.errors import UserError
from data.whole_files import whole_file


def csv_path(path: Path) -> Path:
    """The ``dmc.csv`` that lies beside a ``dmc.pkl``."""
    return Path(path).with_suffix(".csv")


def write_dmc(path: Path, maps: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray]) -> None:
    """Write ``dmc.pkl`` and the ``dmc.csv`` beside it.

    Args:
        path: of the pickle.
        maps: key -> float32 [v_cluster, h, w].
        distances: key -> [a_cluster].
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(csv_path(path)) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        a_cluster = len(next(iter(distances.values()), ()))
        writer.writerow(["key", *(f"distance_{j}" for j in range(a_cluster))])
        writer.writerows([key, *(f"{distance:.6g}" for distance in row)] for key, row in distances.items())
    with whole_file(path) as partial, partial.open("wb") as file:
        pickle.dump({key: np.ascontiguousarray(value, np.float32) for key, value in maps.items()}, file, protocol=4)


def read_dmc(path: Path) -> dict[str, np.ndarray]:
    """Read a ``dmc.pkl``, also one from a stranger: it can make numpy arrays and plain containers, nothing else.

    Returns:
        key -> float32 [v_cluster, h, w].

    Raises:
        UserError: the file cannot be read, asks for anything but arrays, or holds something other than maps.
    """
    try:
        with Path(path).open("rb") as file:
            maps = _ArrayUnpickler(file).load()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): location_dmc.py --evaluate 1 writes it") from error
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise UserError(f"{path} is no file of maps ({type(error).__name__}: {error}); it was not loaded") from error
    if not isinstance(maps, dict):
        raise UserError(f"{path} is no file of maps: it holds a {type(maps).__name__}, not a dict")
    for key, value in maps.items():
        is_map = isinstance(value, np.ndarray) and value.ndim == 3 and np.issubdtype(value.dtype, np.floating)
        if not isinstance(key, str) or not is_map:
            raise UserError(f"{path}: the entry {key!r} is no float array [v_cluster, h, w]")
    return {key: value.astype(np.float32, copy=False) for key, value in maps.items()}


def _latin1(text: str, encoding: str) -> bytes:
    """What ``_codecs.encode`` does for the bytes of an array in old pickles."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {encoding}")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the few names that a pickled numpy array needs."""

    def find_class(self, module: str, name: str) -> object:
        reconstruct = np.array(0).__reduce__()[0]  # the function has moved within numpy; files name either place
        known = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("numpy.core.multiarray", "_reconstruct"): reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): reconstruct,
            ("_codecs", "encode"): _latin1,
        }
        for package in ("numpy.core.numeric", "numpy._core.numeric"):
            known[package, "_frombuffer"] = _from_buffer
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither an array nor a container")
        return known[module, name]


def _from_buffer(buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    """What numpy calls for arrays pickled by protocol 5."""
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)
