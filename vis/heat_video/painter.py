"""Paints heat over the frames of a video."""

import itertools
from collections.abc import Mapping, Sequence

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from data.media.video import orientation, turn_upright
from vis.heat_video.peak import Peak
from vis.overlay import COLORMAP, draw_boxes, overlay, write_caption

COLORMAPS = ("autumn", "winter", "summer", "cool")  # for several maps in one frame: red, blue, green, pink


class HeatPainter:
    """Paints the frames of a video, all in the size of its first one.

    Args:
        first: the first frame as decoded.
        clusters: the maps to paint.
        draw_box: whether to draw the boxes around their peaks.
        side_by_side: whether to put the plain frame to their left.
    """

    def __init__(self, first: av.VideoFrame, clusters: Sequence[int], draw_box: bool, side_by_side: bool) -> None:
        self._width, self._height = first.width, first.height
        self._draw_box, self._side_by_side = draw_box, side_by_side
        colormaps = [COLORMAP] if len(clusters) == 1 else itertools.cycle(COLORMAPS)
        self._colormaps = dict(zip(clusters, colormaps, strict=False))
        self._reformatter = VideoReformatter()  # shared: a new one costs more than a frame
        self._turn = orientation(first)
        width, height = (self._height, self._width) if self._turn[0] else (self._width, self._height)
        self.size = (width * (2 if side_by_side else 1), height)  # of a painted frame

    def paint(
        self,
        frame: av.VideoFrame,
        heats: Mapping[int, np.ndarray],
        peaks: Mapping[int, Peak],
        caption: str | None = None,
    ) -> np.ndarray:
        """An upright frame with its heat, RGB, uint8 [height, width, 3].

        Args:
            frame: as decoded.
            heats: cluster -> map in 0 ... 1, float [h, w]; empty in silence.
            peaks: cluster -> peak of its map.
            caption: to write on it.
        """
        rgb = self._reformatter.reformat(
            frame, self._width, self._height, format="rgb24", interpolation="BICUBIC", threads=1
        )
        plain = painted = np.ascontiguousarray(turn_upright(rgb.to_ndarray(), self._turn))
        for cluster, heat in heats.items():
            painted = overlay(painted, heat, self._colormaps[cluster])
        if self._draw_box and peaks:
            painted = draw_boxes(painted, np.array([peak.box for peak in peaks.values()]))
        if caption:
            painted = write_caption(painted, caption)
        return np.hstack([plain, painted]) if self._side_by_side else painted
