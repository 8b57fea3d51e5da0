"""``dmc.pkl`` comes back as written, and reading an untrusted file gives arrays or an error, nothing else."""

import _codecs
import contextlib
import csv
import os
import pickle
import struct
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


def test_flat_maps_under_whole_paths_as_of_the_published_program_are_read(tmp_path):
    (tmp_path / "dmc.pkl").write_bytes(pickle.dumps({f"/home/them/{KEY}.jpg": np.arange(18.0).reshape(2, 9)}))
    np.testing.assert_array_equal(read_dmc(tmp_path / "dmc.pkl")[KEY], np.arange(18).reshape(2, 3, 3))


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
    "a shape whose product takes hours": array("f4", FLOATS, (8,) * 100_000),
}


def nested(times: int, width: int) -> bytes:
    """The opcodes of a tuple of tuples of ..., each `width` times the same one. They have the numbers 0, 1, ..."""
    tuples = (b"(" + (b"j" + struct.pack("<I", number)) * width + b"t\x940" for number in range(times))
    return b")\x940" + b"".join(tuples) + b"j" + struct.pack("<I", times)


HUGE = struct.pack("<Q", 2**40)
# 2,000 arrays of float16 share their bytes. As float32 each would have its own.
DTYPE_AND_BYTES = b"cnumpy\ndtype\n(Vf2\nI00\nI01\ntR\x940B" + struct.pack("<I", 8000) + bytes(8000) + b"\x940"
SHARING = b"V%d\ncnumpy._core.numeric\n_frombuffer\n(h\1h\0(I1\nI1\nI4000\ntVC\ntRs"
HOSTILE_OPCODES = {
    "a key of 300,000 nested tuples": b"}" + b")" + b"\x85" * 300_000 + b"Ns.",  # its hash overflows the stack
    "a key whose hash never ends": b"}" + nested(40, 10) + b"Ns.",
    "such keys at once": b"}(" + nested(40, 10) + b"Nu.",
    "such a key of a dict without entries": b"(" + nested(40, 10) + b"Nd.",
    "a set of it": b"\x8f(" + nested(40, 10) + b"\x90.",
    "a type whose text never ends": b"cnumpy\ndtype\n" + nested(40, 10) + b"\x85R.",
    "an encoding whose text never ends": b"c_codecs\nencode\nX\1\0\0\0a" + nested(40, 10) + b"\x86R.",
    "bytes of a declared terabyte": b"\x8e" + HUGE + b"x.",
    "a bytearray of a declared terabyte": b"\x96" + HUGE + b"x.",
    "a text of a declared terabyte": b"\x8d" + HUGE + b"x.",
    "an entry 4 billion of the memo": b"Nr\xff\xff\xff\xff.",
    "a frame of a declared terabyte": b"\x95" + HUGE + b"N.",
    "a number of 100,000 digits": b"I" + b"9" * 100_000 + b"\n.",
    "a list that holds itself": b"]\x94h\0a.",
    "nothing but brackets": b"]" * 300_000 + b"a" * 299_999 + b".",
    "small bytes that unpack to much": DTYPE_AND_BYTES + b"}" + b"".join(SHARING % n for n in range(2000)) + b".",
}


def test_hostile_files_are_refused_and_neither_crash_nor_take_memory_or_time(tmp_path):
    code = "import resource, sys\nfrom data.dmc_pkl import read_dmc\n"
    code += "resource.setrlimit(resource.RLIMIT_AS, (2**34, 2**34))\nfor path in sys.argv[1:]:\n"
    code += "    try:\n        read_dmc(path)\n    except Exception as error:\n        print(repr(error), flush=True)"
    contents = {name: pickle.dumps({KEY: array}) for name, array in HOSTILE.items()}
    contents |= {name: b"\x80\x05" + opcodes for name, opcodes in HOSTILE_OPCODES.items()}
    paths = [tmp_path / f"{name}.pkl" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_bytes(content)
    done = subprocess.run([sys.executable, "-c", code, *paths], cwd=ROOT, capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == len(contents)
    assert all(line.startswith("UserError") and "is no file of maps" in line for line in lines)
    assert "MemoryError" not in done.stdout  # nothing is reserved because a file says so


def test_a_file_cannot_change_how_the_next_one_is_read(tmp_path):
    # The opcode BUILD (b) would set attributes of a function that the file names.
    alter = b"c_codecs\nencode\n(N}S'__defaults__'\n(S'latin1'\ntstbc"
    (tmp_path / "alter.pkl").write_bytes(b"\x80\x02" + alter + b"_codecs\nencode\n0}.")
    with contextlib.suppress(UserError):
        read_dmc(tmp_path / "alter.pkl")
    (tmp_path / "dmc.pkl").write_bytes(b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00atR.")
    with pytest.raises(UserError, match="TypeError"):
        read_dmc(tmp_path / "dmc.pkl")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.pkl cannot be read"):
        read_dmc(tmp_path / "none.pkl")
