"""Frames are decoded the same by both decoders, and augmented within their range by the given generator alone."""

import zlib

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional

import data.transforms
from common.errors import SampleError
from data.read import read_spectrogram, read_spectrograms
from data.transforms import (
    apply_color_jitter,
    load_frame,
    random_crop,
    random_flip,
    resize,
    sample_color_jitter,
    side_before_crop,
)

# --- reading ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["torchvision", "Pillow"])
def decoder(request, monkeypatch):
    """Both decoders: torchvision's is deprecated."""
    if request.param == "Pillow":
        monkeypatch.setattr(data.transforms, "decode_jpeg", None)
    elif data.transforms.decode_jpeg is None:
        pytest.skip("this torchvision has no decoder")


@pytest.fixture
def image():
    """A ramp with an edge, of odd size."""
    ramp = np.linspace(0, 255, 45 * 61 * 3).reshape(45, 61, 3)
    ramp[:20, 30:] = 255 - ramp[:20, 30:]
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"quality": 20, "subsampling": "4:2:0"}])
def test_a_jpeg_file_has_the_pixels_that_pillow_reads(decoder, image, mode, settings, tmp_path):
    image.convert(mode).save(tmp_path / "a.jpg", **settings)
    expected = np.array(Image.open(tmp_path / "a.jpg").convert("RGB"))
    found = load_frame(tmp_path / "a.jpg")
    assert found.dtype == torch.uint8 and expected.std() > 30
    np.testing.assert_array_equal(found.permute(1, 2, 0), expected)


def test_a_png_file_named_jpg_is_read_too(decoder, image, tmp_path):
    image.save(tmp_path / "a.jpg", format="png")
    np.testing.assert_array_equal(load_frame(tmp_path / "a.jpg").permute(1, 2, 0), np.array(image))


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_damaged_frame_is_named_with_the_remedy(decoder, image, kept, tmp_path):
    path = tmp_path / "video_frames" / "flute" / "frame_000" / "00000.jpg"
    path.parent.mkdir(parents=True)
    image.save(path)
    path.write_bytes(path.read_bytes()[: kept if kept in (0, 100) else int(kept * path.stat().st_size)])
    with pytest.raises(SampleError, match=r"00000\.jpg cannot be read .*: delete .*flute and run data/cut_video\.py"):
        load_frame(path)


def npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


HEADER_IN_PIECES = npy(b"{'descr': '<f4', (\n")
HEADER_OF_A_PETABYTE = npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (20000000000, 201, 64), }\n")


@pytest.mark.parametrize(
    ("load", "file", "remedy", "shape", "wrong_shapes"),
    [
        (read_spectrogram, "flute/000.npy", "delete .*flute and run", (201, 64), [(), (64, 201), (1, 201, 64)]),
        (read_spectrograms, "noise.npy", "run", (2, 201, 64), [(), (201, 64), (2, 64, 201), (1, 2, 201, 64)]),
    ],
)
def test_a_damaged_spectrogram_is_named_with_the_remedy(load, file, remedy, shape, wrong_shapes, tmp_path):
    path = tmp_path / "audio_frames" / file
    path.parent.mkdir(parents=True)
    np.save(path, np.zeros(shape))
    files = [b"", b"\x93NUMPY", path.read_bytes()[:300]]
    files += [HEADER_IN_PIECES, HEADER_OF_A_PETABYTE]
    arrays = [np.full(shape, value) for value in (np.nan, 1e300, 1, 1j, "text", np.datetime64(0, "s"))]
    arrays += [np.array([{"an": "object"}]), *map(np.zeros, wrong_shapes)]
    for content in (*files, *arrays):
        path.write_bytes(content) if isinstance(content, bytes) else np.save(path, content)
        with pytest.raises(SampleError, match=rf"{path.name} cannot be used .*: {remedy} python3 data/cut_audio\.py"):
            load(path)


def test_a_small_file_that_states_a_huge_frame_is_refused_before_memory_is_reserved(image, monkeypatch, tmp_path):
    monkeypatch.setattr(data.transforms, "decode_jpeg", lambda *_: pytest.fail("torchvision reserves memory"))
    path = tmp_path / "video_frames/a/frame_000/00000.jpg"
    path.parent.mkdir(parents=True)
    image.save(path)
    jpeg = path.read_bytes().replace(b"\0\x2d\0\x3d", b"\xff" * 4)  # height and width
    image.save(path, format="png")
    png = path.read_bytes().replace(b"\0\0\0\x3d\0\0\0\x2d", b"\0\0\xff\xff" * 2)  # width and height
    png = png[:29] + zlib.crc32(png[12:29]).to_bytes(4, "big") + png[33:]  # the checksum of the header
    for content in (jpeg, png):
        path.write_bytes(content)
        with pytest.raises(SampleError, match=r"00000\.jpg cannot be read \(Image size \(4294836225 pixels\) exceeds"):
            load_frame(path)


def test_a_frame_that_only_another_program_can_draw_is_refused(decoder, tmp_path):
    path = tmp_path / "video_frames/a/frame_000/00000.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(SampleError, match="cannot identify image file"):
        load_frame(path)


@pytest.mark.skipif(data.transforms.decode_jpeg is None, reason="this torchvision has no decoder")
def test_torchvision_decodes_if_it_can(image, monkeypatch, tmp_path):
    image.save(tmp_path / "a.jpg")
    monkeypatch.setattr(data.transforms, "open_frame", lambda path: pytest.fail("Pillow was asked"))
    assert load_frame(tmp_path / "a.jpg").shape == (3, 45, 61)


# --- resizing and cropping ----------------------------------------------------------------------------------------


def ramps(width: int, height: int) -> torch.Tensor:
    """A frame whose red grows to the right and whose green grows downwards, both from 50 to 200."""
    frame = torch.full((3, height, width), 120.0)
    frame[0] = torch.linspace(50, 200, width)
    frame[1] = torch.linspace(50, 200, height)[:, None]
    return frame.to(torch.uint8)


def cropped(frame: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    return random_flip(random_crop(resize(frame, side_before_crop(56)), 56, rng), rng)


@pytest.mark.parametrize(("width", "height"), [(90, 60), (1, 1)])
def test_augmented_frames_have_size_and_type_and_repeat_with_the_generator(width, height):
    def augmented(seed: int) -> torch.Tensor:
        rng = np.random.default_rng(seed)
        frame = cropped(ramps(width, height), rng)
        return apply_color_jitter(frame[None], sample_color_jitter(rng)[None])[0]

    frames, again = (list(map(augmented, range(20))) for _ in range(2))
    assert {(tuple(frame.shape), frame.dtype) for frame in frames} == {((3, 56, 56), torch.uint8)}
    assert all(torch.equal(a, b) for a, b in zip(frames, again, strict=True))
    assert len({tuple(frame.flatten().tolist()) for frame in frames}) > 15


def test_a_crop_is_seven_eighths_of_the_frame_anywhere_and_flipped_half_the_time():
    crops = [cropped(ramps(64, 64), np.random.default_rng(seed)) for seed in range(200)]
    red = torch.stack([crop[0, 28].double() for crop in crops])
    assert 70 < int((red[:, 0] > red[:, -1]).sum()) < 130
    widths, lefts = (red[:, -1] - red[:, 0]).abs(), torch.minimum(red[:, 0], red[:, -1])
    assert ((widths - 150 * 55 / 63).abs() < 3).all() and lefts.min() == 50 and lefts.max() > 66


def test_resizing_gives_a_square():
    frame = torch.full((3, 20, 60), 77, dtype=torch.uint8)
    assert torch.equal(resize(frame, 32), torch.full((3, 32, 32), 77, dtype=torch.uint8))


# --- color jitter, against torchvision's functions for one frame ----------------------------------------------------


def by_torchvision(frame: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    brightness, saturation = factors.tolist()
    return functional.adjust_saturation(functional.adjust_brightness(frame / 255, brightness), saturation) * 255


def frames() -> torch.Tensor:
    """Noise, colors without a hue (gray, black, white), and pure colors."""
    torch.manual_seed(0)
    batch = torch.randint(0, 256, (40, 3, 12, 20), dtype=torch.uint8)
    batch[0], batch[1], batch[2] = 128, 0, 255
    for channel in range(3):
        batch[3 + channel] = 0
        batch[3 + channel, channel] = 255
    batch[6, :, :, :10] = 0
    return batch


def sampled(count: int = 40) -> torch.Tensor:
    return torch.stack([sample_color_jitter(np.random.default_rng(seed)) for seed in range(count)])


def test_each_frame_is_changed_as_torchvision_changes_it_alone():
    batch, factors = frames(), sampled()
    factors[21] = 1  # changes nothing
    found = apply_color_jitter(batch, factors)
    assert found.dtype == torch.uint8 and found.shape == batch.shape
    for frame, own, changed in zip(batch, factors, found, strict=True):
        assert (by_torchvision(frame, own) - changed).abs().max() < 1  # of 255 levels: rounding


def test_the_input_is_not_written_to_and_its_memory_layout_does_not_matter():
    batch, factors = frames(), torch.tensor([(1.2, 0.7)] * 40)
    before = batch.clone()
    expected = apply_color_jitter(batch, factors)
    assert torch.equal(batch, before)
    interleaved = batch.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    cropped = torch.nn.functional.pad(batch, (5, 5, 5, 5))[..., 5:-5, 5:-5]
    assert torch.equal(apply_color_jitter(interleaved, factors), expected)
    assert torch.equal(apply_color_jitter(cropped, factors), expected)


def test_no_value_is_read_which_would_wait_for_a_gpu():
    batch = torch.empty(2, 3, 8, 8, dtype=torch.uint8, device="meta")  # reading a value is an error there
    assert apply_color_jitter(batch, torch.empty(2, 2, device="meta")).shape == batch.shape


def test_the_sampled_factors_fill_their_ranges():
    factors = sampled(300)
    assert factors.shape == (300, 2)
    for column in factors.T:
        assert 0.7 <= column.min() < 0.72 and 1.28 < column.max() <= 1.3
