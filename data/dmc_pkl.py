"""Reads and writes ``dmc.pkl`` and ``dmc.csv``: the maps of all test frames, and the distances of matched clusters.

``dmc.pkl`` is a pickled dict: ``NAME/frame_013/00411`` -> float32 [v_cluster, h, w], assignments that sum to 1 over the
first axis. Row j < a_cluster is the map matched to audio cluster j, the others follow by distance.
The published program's files are read too: whole paths -> flat maps [v_cluster, h w] with h = w. Its maps are in the
order of the clusters, not matched.
``dmc.csv`` has a line ``key,distance_0,...`` for each frame: the distance of each audio cluster to its visual cluster.
"""

import csv
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.atomic import atomic_file
from common.errors import UserError


def csv_path(path: Path) -> Path:
    """Return the path of the ``dmc.csv`` beside a ``dmc.pkl``."""
    return Path(path).with_suffix(".csv")


def path_for_audio(path: Path, audio: str) -> Path:
    """Return the path for the maps with other audio, as ``dmc_noise.pkl`` beside ``dmc.pkl``; `path` for ``own``."""
    path = Path(path)
    return path if audio == "own" else path.with_stem(f"{path.stem}_{audio}")


def write_dmc(path: Path, maps: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray]) -> None:
    """Write ``dmc.pkl`` and the ``dmc.csv`` beside it, maps [v_cluster, h, w] and distances [a_cluster] by key."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(csv_path(path)) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        a_cluster = len(next(iter(distances.values()), ()))
        writer.writerow(["key", *(f"distance_{j}" for j in range(a_cluster))])
        writer.writerows([key, *(f"{distance:.6g}" for distance in row)] for key, row in distances.items())
    write_maps(path, maps)


def write_maps(path: Path, maps: Mapping[str, np.ndarray]) -> None:
    """Write a file of maps [v_cluster, h, w] by key, without distances."""
    with atomic_file(path) as partial, partial.open("wb") as file:
        pickle.dump({key: np.ascontiguousarray(value, np.float32) for key, value in maps.items()}, file, protocol=4)


def read_dmc(path: Path) -> dict[str, np.ndarray]:
    """Read the maps, float32 [v_cluster, h, w], of a ``dmc.pkl``. Reading an untrusted file is safe.

    Raises:
        UserError: the file cannot be read, or holds something other than maps.
    """
    try:
        with Path(path).open("rb") as file:
            maps = _load_arrays(file)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): location_dmc.py --evaluate 1 writes it") from error
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise UserError(
            f"{path} is no file of maps ({type(error).__name__}: {error!s:.200}). It was not loaded"
        ) from error
    if not isinstance(maps, dict):
        raise UserError(f"{path} is no file of maps: it holds a {type(maps).__name__}, not a dict")
    maps = {_frame_key(key): _square(value) for key, value in maps.items()}
    for key, value in maps.items():
        is_map = isinstance(value, np.ndarray) and value.ndim == 3 and np.issubdtype(value.dtype, np.floating)
        if not isinstance(key, str) or not is_map:
            shown = repr(key[:80]) if isinstance(key, str) else f"whose key is a {type(key).__name__}"
            raise UserError(f"{path}: the entry {shown} is no float array [v_cluster, h, w]")
    return {key: value.astype(np.float32, copy=False) for key, value in maps.items()}


def _frame_key(key: object) -> object:
    """NAME/frame_013/00411 of a key that is the whole path of the frame; other keys as they are."""
    return "/".join(key.split("/")[-3:]).removesuffix(".jpg") if isinstance(key, str) else key


def _square(value: object) -> object:
    """Flat square maps [v_cluster, side * side] as [v_cluster, side, side]; others as they are."""
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        return value
    side = math.isqrt(value.shape[1])
    return value.reshape(len(value), side, side) if side * side == value.shape[1] else value


def read_distances(path: Path) -> dict[str, np.ndarray]:
    """Read a ``dmc.csv``: key -> float64 [a_cluster]."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.reader(file))
    except OSError as error:
        raise UserError(f"the distances {path} cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not CSV ({error})") from error
    header = lines[0] if lines else []
    if len(header) < 2 or header != ["key", *(f"distance_{j}" for j in range(len(header) - 1))]:
        raise UserError(f"{path} does not begin with the line key,distance_0,...")
    if len(lines) == 1:
        raise UserError(f"{path} contains no distances")
    distances = {}
    for number, (key, *texts) in ((number, line) for number, line in enumerate(lines[1:], 2) if line):
        try:
            row = np.array([float(text) for text in texts])
        except ValueError as error:
            raise UserError(f"{path}, line {number} ({key}): {error}") from error
        if len(row) != len(header) - 1 or not np.isfinite(row).all():
            raise UserError(f"{path}, line {number} ({key}): expected {len(header) - 1} finite distances")
        distances[key] = row
    return distances


def _load_arrays(file: BinaryIO) -> object:
    """Unpickle containers, strings, numbers and float arrays; anything else raises UnpicklingError.

    numpy's own classes accept any state from a pickle, which can crash the process. Stand-ins that check everything
    take their place. They are created for each file, because a pickle could alter them.
    """

    class Dtype:
        def __init__(self, code: str, *_: object) -> None:
            if code not in ("f2", "f4", "f8"):
                raise pickle.UnpicklingError(f"it holds an array of type {code!r:.40}, not of floats")
            self.code, self.order = code, "="

        def __setstate__(self, state: tuple) -> None:
            version, order, *rest = state
            if version != 3 or order not in ("<", ">", "=") or rest != [None, None, None, -1, -1, 0]:
                raise pickle.UnpicklingError("it holds an array of an invalid type")
            self.order = order

    class Array:
        value: np.ndarray | None = None

        def __setstate__(self, state: tuple) -> None:
            _, shape, dtype, fortran, buffer = state
            self.value = _from_bytes(buffer, shape, dtype.order + dtype.code, "F" if fortran else "C")

    def from_buffer(buffer: bytes, dtype: Dtype, shape: tuple[int, ...], order: str) -> Array:
        array = Array()
        array.value = _from_bytes(buffer, shape, dtype.order + dtype.code, order)
        return array

    def latin1(text: str, encoding: str) -> bytes:
        if encoding != "latin1":  # no array in an old pickle uses another one
            raise pickle.UnpicklingError(f"it asks for the encoding {encoding!r:.40}")
        return text.encode("latin1")

    names: dict[tuple[str, str], object] = {
        ("numpy", "ndarray"): Array,
        ("numpy", "dtype"): Dtype,
        ("_codecs", "encode"): latin1,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy has moved it; files name either place
        names[f"{core}.multiarray", "_reconstruct"] = lambda *_: Array()
        names[f"{core}.numeric", "_frombuffer"] = from_buffer

    class ArrayUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if (module, name) not in names:
                raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither an array nor a container")
            return names[module, name]

    content = ArrayUnpickler(file).load()
    if not isinstance(content, dict):
        return content
    return {key: value.value if isinstance(value, Array) else value for key, value in content.items()}


def _from_bytes(buffer: object, shape: object, dtype: str, order: str) -> np.ndarray:
    """Make an array from its bytes, whose number has to fit."""
    whole = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not whole or not isinstance(buffer, bytes | bytearray):
        raise pickle.UnpicklingError("it holds an array that is not made of bytes")
    if math.prod(shape) * np.dtype(dtype).itemsize != len(buffer):
        raise pickle.UnpicklingError("it holds an array of another size than it says")
    return np.frombuffer(bytes(buffer), dtype).reshape(shape, order=order)
