"""Frames are read the same by either decoder, whatever they are."""

import numpy as np
import pytest
import torch
from PIL import Image

import data.transforms
from common.errors import SampleError
from data.transforms import load_frame


@pytest.fixture(params=["torchvision", "Pillow"])
def decoder(request, monkeypatch):
    """Both of them: Pillow is all that there is once torchvision has given decoding up."""
    if request.param == "Pillow":
        monkeypatch.setattr(data.transforms, "decode_jpeg", None)
    elif data.transforms.decode_jpeg is None:
        pytest.skip("this torchvision decodes nothing")


@pytest.fixture
def picture():
    """Something smooth with an edge, of odd size."""
    ramp = np.linspace(0, 255, 45 * 61 * 3).reshape(45, 61, 3)
    ramp[:20, 30:] = 255 - ramp[:20, 30:]
    return Image.fromarray(ramp.astype(np.uint8))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"quality": 20, "subsampling": "4:2:0"}])
def test_a_jpeg_file_has_the_pixels_that_pillow_reads(decoder, picture, mode, settings, tmp_path):
    picture.convert(mode).save(tmp_path / "a.jpg", **settings)
    expected = np.array(Image.open(tmp_path / "a.jpg").convert("RGB"))
    found = load_frame(tmp_path / "a.jpg")
    assert found.dtype == torch.uint8 and expected.std() > 30
    np.testing.assert_array_equal(found.permute(1, 2, 0), expected)


def test_what_is_called_jpg_but_is_another_picture_is_read_too(decoder, picture, tmp_path):
    picture.save(tmp_path / "a.jpg", format="png")
    np.testing.assert_array_equal(load_frame(tmp_path / "a.jpg").permute(1, 2, 0), np.array(picture))


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_damaged_file_is_named_with_the_remedy(decoder, picture, kept, tmp_path):
    path = tmp_path / "video_frames" / "flute" / "frame_000" / "00000.jpg"
    path.parent.mkdir(parents=True)
    picture.save(path)
    path.write_bytes(path.read_bytes()[: kept if kept in (0, 100) else int(kept * path.stat().st_size)])
    with pytest.raises(SampleError, match=r"00000\.jpg cannot be read .*: delete .*flute and run data/cut_video\.py"):
        load_frame(path)


def test_torchvision_decodes_where_it_can(picture, monkeypatch, tmp_path):
    if data.transforms.decode_jpeg is None:
        pytest.skip("this torchvision decodes nothing")
    picture.save(tmp_path / "a.jpg")
    monkeypatch.setattr(data.transforms, "load_picture", lambda path: pytest.fail("Pillow was asked"))
    assert load_frame(tmp_path / "a.jpg").shape == (3, 45, 61)
