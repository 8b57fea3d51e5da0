"""Paints the heat of one picture after the other of a video over it."""

import itertools
from collections.abc import Mapping, Sequence

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from data.media.video import quarter_turns
from vis.heat_video.peak import Peak
from vis.overlay import COLORMAP, overlay, with_boxes

COLORMAPS = ("autumn", "winter", "summer", "cool")  # of several maps in one picture: red, blue, green, pink


class HeatPainter:
    """Paints pictures of a video, all in the size of its first one.

    Args:
        first: the first picture as decoded.
        clusters: which maps are painted.
        draw_box: whether with the boxes around their peaks.
        side_by_side: whether with the plain picture to their left.
    """

    def __init__(self, first: av.VideoFrame, clusters: Sequence[int], draw_box: bool, side_by_side: bool) -> None:
        self._width, self._height = first.width, first.height
        self._turned = quarter_turns(first) % 2 == 1
        self._draw_box, self._side_by_side = draw_box, side_by_side
        colormaps = [COLORMAP] if len(clusters) == 1 else itertools.cycle(COLORMAPS)
        self._colormaps = dict(zip(clusters, colormaps, strict=False))
        self._reformatter = VideoReformatter()  # one for all: setting one up costs more than a picture

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is painted."""
        width, height = (self._height, self._width) if self._turned else (self._width, self._height)
        return width * (2 if self._side_by_side else 1), height

    def paint(self, frame: av.VideoFrame, heats: Mapping[int, np.ndarray], places: Mapping[int, Peak]) -> np.ndarray:
        """A picture with its heat, upright RGB, uint8 [height, width, 3].

        Args:
            frame: as decoded.
            heats: cluster -> map in 0 ... 1, float [h, w]; empty where nothing sounds.
            places: cluster -> where its map is hottest.
        """
        plain = self._upright(frame)
        painted = plain
        for cluster, heat in heats.items():
            painted = overlay(painted, heat, self._colormaps[cluster])
        if self._draw_box and places:
            painted = with_boxes(painted, np.array([place.box for place in places.values()]))
        return np.hstack([plain, painted]) if self._side_by_side else painted

    def _upright(self, frame: av.VideoFrame) -> np.ndarray:
        rgb = self._reformatter.reformat(
            frame, self._width, self._height, format="rgb24", interpolation="BICUBIC", threads=1
        )
        return np.ascontiguousarray(np.rot90(rgb.to_ndarray(), quarter_turns(frame)))
