"""``dmc.pkl`` comes back as written, and a stranger's file cannot do anything but hold arrays."""

import contextlib
import csv
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from data.dmc_pkl import read_dmc, write_dmc

ROOT = Path(__file__).resolve().parents[2]


def some_maps() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    keys = ["-_-TDDxoaAc_0_1000/frame_013/00411", 'two words, "ü"/frame_000/00000']
    return {key: rng.random((2, 14, 14)).astype(np.float32) for key in keys}


def test_maps_and_distances_come_back(tmp_path):
    maps = some_maps()
    write_dmc(tmp_path / "sub/dmc.pkl", maps, {key: np.array([1.5, 0.25]) for key in maps})
    found = read_dmc(tmp_path / "sub/dmc.pkl")
    assert list(found) == list(maps)
    for key, value in maps.items():
        np.testing.assert_array_equal(found[key], value)
    with (tmp_path / "sub/dmc.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["key", "distance_0", "distance_1"], *([key, "1.5", "0.25"] for key in maps)]


def test_it_is_a_plain_dict_that_any_program_unpickles(tmp_path):
    maps = some_maps()
    write_dmc(tmp_path / "dmc.pkl", maps, {key: np.zeros(1) for key in maps})
    with (tmp_path / "dmc.pkl").open("rb") as file:
        loaded = pickle.load(file)
    assert type(loaded) is dict and all(value.dtype == np.float32 for value in loaded.values())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_is_read(tmp_path, protocol):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(some_maps(), protocol))
    for key, value in read_dmc(tmp_path / "dmc.pkl").items():
        np.testing.assert_array_equal(value, some_maps()[key])


class Command:
    def __reduce__(self):
        return os.system, ("touch payload_ran",)


class Evaluation:
    def __reduce__(self):
        return eval, ("open('payload_ran', 'w')",)


class Numpy:
    """Names that a whitelist by package would let through."""

    def __reduce__(self):
        return np.save, ("payload_ran.npy", np.zeros(1))


class Encoding:
    def __reduce__(self):
        import _codecs

        return _codecs.encode, (b"x" * 10, "zlib_codec")


@pytest.mark.parametrize("payload", [Command, Evaluation, Numpy, Encoding])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_payload_is_refused_and_does_not_run(tmp_path, monkeypatch, payload, protocol):
    monkeypatch.chdir(tmp_path)
    content = {**some_maps(), "z/frame_000/00000": payload()}
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(UserError, match=r"dmc.pkl is no file of maps \(UnpicklingError"):
        read_dmc(tmp_path / "dmc.pkl")
    assert not list(tmp_path.glob("payload_ran*"))


def test_a_payload_inside_an_object_array_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps({"a": np.array([[[Command()]]], dtype=object)}))
    with pytest.raises(UserError):
        read_dmc(tmp_path / "dmc.pkl")
    assert not (tmp_path / "payload_ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "a list, not a dict"),
        ({"a/frame_000/00000": np.zeros((3, 3))}, "the entry 'a/frame_000/00000'"),
        ({"a/frame_000/00000": np.zeros((1, 3, 3), int)}, "array of type 'i8'"),
        ({3: np.zeros((1, 3, 3))}, "the entry whose key is a int"),
        ({"a": "text"}, "the entry 'a'"),
    ],
)
def test_other_content_is_named(tmp_path, content, message):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=message):
        read_dmc(tmp_path / "dmc.pkl")


class HostileDtype:
    """A dtype whose state says that plain bytes are Python objects: numpy itself would crash on it."""

    def __init__(self, code: str, state: tuple) -> None:
        self.code, self.state = code, state

    def __reduce__(self):
        return np.dtype, (self.code, False, True), self.state


class HostileArray:
    def __init__(self, dtype: HostileDtype, shape: tuple, data: object) -> None:
        self.state = (1, shape, dtype, False, data)

    def __reduce__(self):
        return np.array(0).__reduce__()[0], (np.ndarray, (0,), b"b"), self.state


OBJECT_AT_1000 = (3, "|", None, ("a",), {"a": (np.dtype("O"), 1000)}, 8, 1, 27)
PLAIN_F4 = (3, "<", None, None, None, -1, -1, 0)
HOSTILE = {
    "objects hidden in void": HostileArray(HostileDtype("V8", OBJECT_AT_1000), (1, 1, 1), b"x" * 8),
    "objects hidden in floats": HostileArray(HostileDtype("f4", OBJECT_AT_1000), (1, 1, 1), b"x" * 8),
    "bytes as objects": HostileArray(HostileDtype("O8", (3, "|", None, None, None, -1, -1, 63)), (1, 1, 1), b"x" * 8),
    "less bytes than it says": HostileArray(HostileDtype("f4", PLAIN_F4), (1, 1000, 1000), b"x" * 8),
    "a negative shape": HostileArray(HostileDtype("f4", PLAIN_F4), (1, -2, -1), b"x" * 8),
    "a shape of floats": HostileArray(HostileDtype("f4", PLAIN_F4), (1, 1.0, 2), b"x" * 8),
}


@pytest.mark.parametrize("content", HOSTILE)
def test_a_hostile_array_is_refused_instead_of_crashing_numpy(tmp_path, content):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps({"a/frame_000/00000": HOSTILE[content]}))
    code = f"from data.dmc_pkl import read_dmc; read_dmc({str(tmp_path / 'dmc.pkl')!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "UserError" in done.stderr.splitlines()[-1] and "was not loaded" in done.stderr


def test_a_file_cannot_change_how_the_next_one_is_read(tmp_path):
    # The opcode BUILD (b) would set attributes of a function that the file names.
    alter = b"c_codecs\nencode\n(N}S'__defaults__'\n(S'latin1'\ntstbc"
    (tmp_path / "alter.pkl").write_bytes(b"\x80\x02" + alter + b"_codecs\nencode\n0}.")
    with contextlib.suppress(UserError):
        read_dmc(tmp_path / "alter.pkl")
    (tmp_path / "dmc.pkl").write_bytes(b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00atR.")
    with pytest.raises(UserError, match="TypeError"):
        read_dmc(tmp_path / "dmc.pkl")


def test_damaged_and_absent_files_are_named(tmp_path):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(some_maps())[:-50])
    with pytest.raises(UserError, match=r"dmc\.pkl is no file of maps"):
        read_dmc(tmp_path / "dmc.pkl")
    with pytest.raises(UserError, match=r"none\.pkl cannot be read"):
        read_dmc(tmp_path / "none.pkl")
