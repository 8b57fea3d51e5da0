"""The benchmark of preprocessing: a whole small run."""

import shutil

import pytest

from benchmarks import preprocessing

SMALL = "--videos 2 --seconds 2 --long_videos 1 --long_seconds 2 --repeats 1 --num_threads 2".split()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the ffmpeg command")
def test_a_whole_run_has_a_row_for_each_program_and_leaves_only_the_videos(tmp_path, capfd):
    pytest.importorskip("cv2")
    assert preprocessing.main([*SMALL, "--data", str(tmp_path)]) == 0
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    for of_set, seconds in ((rows[:6], 4), (rows[6:], 2)):
        assert [row[1] for row in of_set] == [
            "cut_video.py", "ffmpeg", "OpenCV loop", "cut_audio.py", "librosa loop", "librosa loop on WAV files"
        ]  # fmt: skip
        assert [of_set[0][4], of_set[3][4]] == ["1.00", "1.00"]
        for number, row in enumerate(of_set):
            expected = (4 if number < 3 else 1) * seconds
            assert abs(int(row[5]) - expected) <= expected / 4 * (number not in (0, 3))  # ffmpeg may end a frame later
    assert {folder.name for folder in tmp_path.iterdir()} == {"long_1x2", "short_2x2"}
    assert not [file for end in ("jpg", "npy", "wav") for file in tmp_path.rglob(f"[0-9]*.{end}")]
