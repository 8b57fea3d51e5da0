"""The loops that one writes first, to measure `data/cut_video.py` and `data/cut_audio.py` against.

    python3 benchmarks/plain_loops.py opencv OUT VIDEO...
    python3 benchmarks/plain_loops.py librosa OUT SECONDS FILE...

A program of its own, because start-up counts. opencv reads every frame and writes 4 of each second as JPEG, 256 pixels
on the shorter side. librosa opens and reads each second alone, and writes its log-mel spectrogram.
"""

import itertools
import sys
from pathlib import Path

SHORT_SIDE, FPS, JPEG_QUALITY = 256, 4, 95


def opencv_loop(out: Path, *videos: str) -> None:
    """Write 4 frames of each second of the videos into ``out/NAME``."""
    import cv2

    for video in videos:
        folder = out / Path(video).stem
        folder.mkdir(parents=True)
        capture = cv2.VideoCapture(video)
        rate = round(capture.get(cv2.CAP_PROP_FPS))
        for index in itertools.count():
            success, frame = capture.read()
            if not success:
                break
            if index % rate in {j * (rate // FPS) for j in range(FPS)}:
                height, width = frame.shape[:2]
                scale = SHORT_SIDE / min(height, width)
                size = (round(width * scale), round(height * scale))
                frame = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
                cv2.imwrite(str(folder / f"{index:05d}.jpg"), frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        capture.release()


def librosa_loop(out: Path, seconds: str, *files: str) -> None:
    """Write the spectrogram of each of the first `seconds` seconds of the files into ``out/NAME``."""
    import librosa
    import numpy as np

    for file in files:
        folder = out / Path(file).stem
        folder.mkdir(parents=True)
        for second in range(int(seconds)):
            samples, rate = librosa.load(file, sr=16_000, offset=second, duration=1)
            mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=160, hop_length=80, n_mels=64, power=1)
            np.save(folder / f"{second:03d}.npy", librosa.power_to_db(mel).T)


if __name__ == "__main__":
    loop, folder, *rest = sys.argv[1:]
    {"opencv": opencv_loop, "librosa": librosa_loop}[loop](Path(folder), *rest)
