"""Reads and writes ``dmc.pkl`` and ``dmc.csv``: the maps of all test frames, and the distances of matched clusters.

``dmc.pkl`` is a pickled dict: ``NAME/frame_013/00411`` -> float32 [v_cluster, h, w], assignments that sum to 1 over the
first axis. Row j is the map matched to the j-th audio cluster with a match; those without one follow by distance.
The published program's files are read too: whole paths -> flat maps [v_cluster, h w] with h = w. Its maps are in the
order of the clusters, not matched.
``dmc.csv`` has a line ``key,distance_0,...`` for each frame: the distance of each audio cluster to its visual cluster.
"""

import csv
import io
import math
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from common.atomic import atomic_file, atomic_files
from common.errors import UserError, first_line

MOST_SIDES = 4  # of an array in a file
MOST_CELLS = 4096  # of a side of a map, and clusters of a frame

NEGATIVE_AUDIO = ("shuffled", "noise", "silence")  # see `data.negative_audio`
AUDIO_CHOICES = ("own", *NEGATIVE_AUDIO, "swap")  # with which maps are made; swap: see `data.stems`


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
    with atomic_files(path, csv_path(path)) as (partial, partial_csv):
        with partial_csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            a_cluster = len(next(iter(distances.values()), ()))
            writer.writerow(["key", *(f"distance_{j}" for j in range(a_cluster))])
            writer.writerows([key, *(f"{distance:.6g}" for distance in row)] for key, row in distances.items())
        _dump(partial, maps)


def write_maps(path: Path, maps: Mapping[str, np.ndarray]) -> None:
    """Write a file of maps [v_cluster, h, w] by key, without distances."""
    with atomic_file(path) as partial:
        _dump(partial, maps)


def _dump(path: Path, maps: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        pickle.dump({key: np.ascontiguousarray(value, np.float32) for key, value in maps.items()}, file, protocol=4)


def read_dmc(path: Path) -> dict[str, np.ndarray]:
    """Read the maps, float32 [v_cluster, h, w], of a ``dmc.pkl``; UserError if it holds something else.

    Reading an untrusted file is safe.
    """
    try:
        content = Path(path).read_bytes()
        maps = _load_arrays(content)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): location_dmc.py --evaluate 1 writes it") from error
    except Exception as error:  # a damaged or hostile pickle can raise anything
        raise UserError(
            f"{path} is no file of maps ({type(error).__name__}: {first_line(error):.200}). It was not loaded"
        ) from error
    if not isinstance(maps, dict):
        raise UserError(f"{path} is no file of maps: it holds a {type(maps).__name__}, not a dict")
    arrays = {id(value): _square(value) for value in maps.values()}  # several keys may share one
    for key, value in maps.items():
        array = arrays[id(value)]
        is_map = isinstance(array, np.ndarray) and array.ndim == 3 and np.issubdtype(array.dtype, np.floating)
        if not is_map or max(array.shape) > MOST_CELLS:
            raise UserError(
                f"{path}: the entry {key[:80]!r} is no float array [v_cluster, h, w] of {MOST_CELLS} a side"
            )
    if sum(array.nbytes for array in arrays.values()) > len(content):
        raise UserError(f"{path} is no file of maps: it unpacks to more than its size. It was not loaded")
    with np.errstate(over="ignore"):  # whoever uses a map reports infinite values
        floats = {number: array.astype(np.float32, copy=False) for number, array in arrays.items()}
    found = {_frame_key(key): floats[id(value)] for key, value in maps.items()}
    if len(found) < len(maps):
        raise UserError(f"{path} has several maps of one frame, under paths that differ in their folder only")
    return found


def _frame_key(key: str) -> str:
    """NAME/frame_013/00411 of a key that is the whole path of the frame; other keys as they are."""
    return "/".join(key.split("/")[-3:]).removesuffix(".jpg")


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
            text = file.read()
            lines = list(csv.reader(io.StringIO(text, newline="")))
    except OSError as error:
        raise UserError(f"the distances {path} cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path} is not CSV ({error})") from error
    if text and not text.endswith("\n"):  # a number may have lost its last digits
        raise UserError(f"{path} is cut short: evaluate again")
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
            raise UserError(f"{path}, line {number} ({key!r:.100}): {error}") from error
        if len(row) != len(header) - 1 or not np.isfinite(row).all():
            raise UserError(f"{path}, line {number} ({key!r:.100}): expected {len(header) - 1} finite distances")
        distances[key] = row
    return distances


class _Dtype:
    """Takes the place of numpy's class: a type of floats."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in ("f2", "f4", "f8"):
            name = repr(code) if isinstance(code, str) else type(code).__name__
            raise pickle.UnpicklingError(f"it holds an array of type {name:.40}, not of floats")
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple) -> None:
        version, order, *rest = state
        if version != 3 or order not in ("<", ">", "=") or rest != [None, None, None, -1, -1, 0]:
            raise pickle.UnpicklingError("it holds an array of an invalid type")
        self.order = order


class _Array:
    """Takes the place of numpy's class: an array that shares the memory of the bytes in the file."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, fortran, buffer = state
        self.value = _from_bytes(buffer, shape, dtype.order + dtype.code, "F" if fortran else "C")


def _from_buffer(buffer: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.value = _from_bytes(buffer, shape, dtype.order + dtype.code, order)
    return array


class _ArrayUnpickler(pickle._Unpickler):
    """Unpickles containers, strings, numbers and float arrays; anything else raises an error.

    numpy's own classes accept any state from a pickle, which can crash the process: stand-ins that check everything
    take their place. And this is the unpickler that Python has in Python. A few bytes make the one in C reserve any
    amount of memory, or hash a tuple that holds itself a million times over, which crashes or never ends.
    """

    dispatch = pickle._Unpickler.dispatch.copy()  # opcode -> method

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._encoded: dict[str, bytes] = {}
        self._names: dict[tuple[str, str], object] = {
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
            ("_codecs", "encode"): self._latin1,
        }
        for core in ("numpy.core", "numpy._core"):  # numpy has moved it; files name either place
            self._names[f"{core}.multiarray", "_reconstruct"] = lambda *_: _Array()
            self._names[f"{core}.numeric", "_frombuffer"] = _from_buffer

    def find_class(self, module: str, name: str) -> object:
        """What a file may name."""
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither an array nor a container")
        return self._names[module, name]

    def _latin1(self, text: str, encoding: str) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":  # no array in an old pickle uses another one
            raise pickle.UnpicklingError("it asks for another encoding than that of arrays")
        if text not in self._encoded:  # once, however often the file asks for it
            self._encoded[text] = text.encode("latin1")
        return self._encoded[text]

    def _load_build(self) -> None:
        if not isinstance(self.stack[-2], _Array | _Dtype):  # else a file could change how the next one is read
            raise pickle.UnpicklingError("it changes something other than an array")
        self.load_build()

    def _load_setitem(self) -> None:
        self._require_text(self.stack[-2:-1])
        self.load_setitem()

    def _load_setitems(self) -> None:
        self._require_text(self.stack[::2])
        self.load_setitems()

    def _load_dict(self) -> None:
        self._require_text(self.stack[::2])
        self.load_dict()

    def _require_text(self, keys: list) -> None:
        if wrong := [key for key in keys if not isinstance(key, str)]:
            raise pickle.UnpicklingError(f"the entry whose key is a {type(wrong[0]).__name__} is no map")

    dispatch |= {pickle.BUILD[0]: _load_build, pickle.DICT[0]: _load_dict}
    dispatch |= {pickle.SETITEM[0]: _load_setitem, pickle.SETITEMS[0]: _load_setitems}
    dispatch[pickle.BYTEARRAY8[0]] = dispatch[pickle.BINBYTES8[0]]  # of the same form, and nothing is reserved for it
    for _opcode in (pickle.EMPTY_SET, pickle.FROZENSET, pickle.ADDITEMS):
        del dispatch[_opcode[0]]


def _load_arrays(content: bytes) -> object:
    """Unpickle maps, or whatever else a file holds that can do no harm."""
    loaded = _ArrayUnpickler(content).load()
    if not isinstance(loaded, dict):
        return loaded
    return {key: value.value if isinstance(value, _Array) else value for key, value in loaded.items()}


def _from_bytes(buffer: object, shape: object, dtype: str, order: str) -> np.ndarray:
    """Make an array from its bytes, whose number has to fit."""
    if not isinstance(shape, tuple) or len(shape) > MOST_SIDES or not isinstance(buffer, bytes):
        raise pickle.UnpicklingError("it holds an array that is not made of bytes")
    whole = all(type(size) is int and 0 <= size <= len(buffer) for size in shape)
    if not whole or math.prod(shape) * np.dtype(dtype).itemsize != len(buffer):
        raise pickle.UnpicklingError("it holds an array of another size than it says")
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)
