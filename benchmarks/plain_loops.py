"""What one writes first, to measure `data/cut_video.py` and `data/cut_audio.py` against; run whole, as they are.

    python3 benchmarks/plain_loops.py opencv OUT VIDEO...     # pictures
    python3 benchmarks/plain_loops.py librosa OUT SECONDS SOUND...    # spectrograms

opencv: cv2.VideoCapture, every frame read, in each second those at 0, 1/4, 2/4 and 3/4 of the frames resized to 256
pixels and written as JPEG. librosa: each second opened and read by itself with librosa.load, resampled, librosa's
melspectrogram and power_to_db, saved.
"""

import sys
from pathlib import Path

SHORT_SIDE = 256
FPS = 4
JPEG_QUALITY = 95


def opencv_loop(out: Path, videos: list[str]) -> None:
    """Write 4 frames of each second of the videos into ``out/NAME``."""
    import cv2

    for video in videos:
        folder = out / Path(video).stem
        folder.mkdir(parents=True)
        capture = cv2.VideoCapture(video)
        rate = round(capture.get(cv2.CAP_PROP_FPS))
        index = 0
        while True:
            there, picture = capture.read()
            if not there:
                break
            if index % rate in {j * (rate // FPS) for j in range(FPS)}:
                height, width = picture.shape[:2]
                scale = SHORT_SIDE / min(height, width)
                picture = cv2.resize(
                    picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_CUBIC
                )
                cv2.imwrite(str(folder / f"{index:05d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            index += 1
        capture.release()


def librosa_loop(out: Path, seconds: int, sounds: list[str]) -> None:
    """Write the spectrogram of each of the first `seconds` seconds of the files into ``out/NAME``."""
    import warnings

    import librosa
    import numpy as np

    warnings.simplefilter("ignore")  # of mp4 it says that audioread will go some day
    for sound in sounds:
        folder = out / Path(sound).stem
        folder.mkdir(parents=True)
        for second in range(seconds):
            samples, rate = librosa.load(sound, sr=16_000, offset=second, duration=1)
            mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=160, hop_length=80, n_mels=64, power=1)
            np.save(folder / f"{second:03d}.npy", librosa.power_to_db(mel).T)


if __name__ == "__main__":
    loop, folder, *rest = sys.argv[1:]
    if loop == "opencv":
        opencv_loop(Path(folder), rest)
    else:
        librosa_loop(Path(folder), int(rest[0]), rest[1:])
