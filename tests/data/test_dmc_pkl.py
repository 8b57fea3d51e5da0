"""``dmc.pkl`` comes back as written, and reading an untrusted file gives arrays or an error, nothing else."""

import _codecs
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
KEY = "a/frame_000/00000"


def some_maps() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    keys = ["-_-TDDxoaAc_0_1000/frame_013/00411", 'two words, "ü"/frame_000/00000']
    return {key: rng.random((2, 14, 14)).astype(np.float32) for key in keys}


def test_maps_and_distances_come_back_and_any_program_can_unpickle_the_maps(tmp_path):
    maps = some_maps()
    write_dmc(tmp_path / "sub/dmc.pkl", maps, {key: np.array([1.5, 0.25]) for key in maps})
    plain = pickle.loads((tmp_path / "sub/dmc.pkl").read_bytes())
    assert type(plain) is dict
    for found in (plain, read_dmc(tmp_path / "sub/dmc.pkl")):
        assert list(found) == list(maps)
        for key, value in maps.items():
            assert found[key].dtype == np.float32
            np.testing.assert_array_equal(found[key], value)
    with (tmp_path / "sub/dmc.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["key", "distance_0", "distance_1"], *([key, "1.5", "0.25"] for key in maps)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_all_pickle_protocols_are_read(tmp_path, protocol):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(some_maps(), protocol))
    for key, value in read_dmc(tmp_path / "dmc.pkl").items():
        np.testing.assert_array_equal(value, some_maps()[key])


class Call:
    """Unpickles as a call of a function, whose result then gets a state."""

    def __init__(self, *call: object, state: tuple | None = None) -> None:
        self.reduced = call[0], call[1:], state

    def __reduce__(self):
        return self.reduced


PAYLOADS = {
    "command": Call(os.system, "touch payload_ran"),
    "evaluation": Call(eval, "open('payload_ran', 'w')"),
    "numpy": Call(np.save, "payload_ran.npy", np.zeros(1)),  # a whitelist by package would let it through
    "encoding": Call(_codecs.encode, b"x" * 10, "zlib_codec"),
    "in an object array": np.array([[[Call(os.system, "touch payload_ran")]]], dtype=object),
}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_payload_is_refused_and_does_not_run(tmp_path, monkeypatch, payload, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps({**some_maps(), KEY: PAYLOADS[payload]}, protocol))
    with pytest.raises(UserError, match=r"dmc.pkl is no file of maps \(UnpicklingError"):
        read_dmc(tmp_path / "dmc.pkl")
    assert not list(tmp_path.glob("payload_ran*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "a list, not a dict"),
        ({KEY: np.zeros((3, 3))}, f"the entry '{KEY}'"),
        ({KEY: np.zeros((1, 3, 3), int)}, "array of type 'i8'"),
        ({3: np.zeros((1, 3, 3))}, "the entry whose key is a int"),
        ({"a": "text"}, "the entry 'a'"),
    ],
)
def test_content_other_than_maps_is_named(tmp_path, content, message):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match=message):
        read_dmc(tmp_path / "dmc.pkl")


def array(code: str, state: tuple, shape: tuple) -> Call:
    """An array of 8 bytes with any shape and any state of its dtype."""
    dtype = Call(np.dtype, code, False, True, state=state)
    return Call(np.array(0).__reduce__()[0], np.ndarray, (0,), b"b", state=(1, shape, dtype, False, b"x" * 8))


# States that declare plain bytes to be Python objects, on which numpy itself crashes.
OBJECT_AT_1000 = (3, "|", None, ("a",), {"a": (np.dtype("O"), 1000)}, 8, 1, 27)
OBJECTS = (3, "|", None, None, None, -1, -1, 63)
FLOATS = (3, "<", None, None, None, -1, -1, 0)
HOSTILE = {
    "objects hidden in void": array("V8", OBJECT_AT_1000, (1, 1, 1)),
    "objects hidden in floats": array("f4", OBJECT_AT_1000, (1, 1, 1)),
    "bytes as objects": array("O8", OBJECTS, (1, 1, 1)),
    "less bytes than it says": array("f4", FLOATS, (1, 1000, 1000)),
    "a negative shape": array("f4", FLOATS, (1, -2, -1)),
    "a shape of floats": array("f4", FLOATS, (1, 1.0, 2)),
}


def test_hostile_arrays_are_refused_and_do_not_crash_numpy(tmp_path):
    code = "import sys\nfrom data.dmc_pkl import read_dmc\nfor path in sys.argv[1:]:\n"
    code += "    try:\n        read_dmc(path)\n    except Exception as error:\n        print(repr(error), flush=True)"
    paths = [tmp_path / f"{name}.pkl" for name in HOSTILE]
    for path, array in zip(paths, HOSTILE.values(), strict=True):
        path.write_bytes(pickle.dumps({KEY: array}))
    done = subprocess.run([sys.executable, "-c", code, *paths], cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == len(HOSTILE)
    assert all(line.startswith("UserError") and "It was not loaded" in line for line in lines)


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
