"""Writes planes as an H.264 film that plays everywhere: yuv420p, one index at the front, no sound."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.stream import VideoStream

from .label import COMMENT, SOFTWARE
from .yuv import Planes

Target = BinaryIO | str | os.PathLike[str]

# Film grain is expensive to search for motion; one reference and a cheap search cost no visible quality here.
_X264 = "ref=1:subme=1:me=dia:weightp=0:mbtree=0:bframes=3:b-adapt=0:trellis=0:aq-mode=1:partitions=none"
_OPTIONS = {"preset": "superfast", "crf": "23", "x264-params": _X264}
_BT709 = 1
_TITLE_LENGTH = 200  # characters


def write(
    frames: Iterable[Planes],
    *,
    count: int,
    size: tuple[int, int],
    fps: int,
    title: str,
    target: Target,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Encodes `count` frames of one size into `target`, a path or a binary file.

    Moving the index to the front needs a file that can be read again, so a stream is written by way of a temporary one.
    """
    if isinstance(target, (str, os.PathLike)):
        _encode(frames, Path(target), count=count, size=size, fps=fps, title=title, progress=progress)
        return
    with tempfile.TemporaryDirectory(prefix="sandbox-film-") as folder:
        path = Path(folder) / "film.mp4"
        _encode(frames, path, count=count, size=size, fps=fps, title=title, progress=progress)
        with path.open("rb") as film:
            shutil.copyfileobj(film, target)


def _encode(
    frames: Iterable[Planes],
    path: Path,
    *,
    count: int,
    size: tuple[int, int],
    fps: int,
    title: str,
    progress: Callable[[float], None] | None,
) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as film:
        film.metadata.update(
            {"title": _printable(title), "comment": COMMENT, "description": COMMENT, "encoder": SOFTWARE}
        )
        stream = _stream(film.add_stream("libx264", rate=fps, options=_OPTIONS), size)
        for number, planes in enumerate(frames, start=1):
            film.mux(stream.encode(_frame(planes)))
            if progress:
                progress(number / count)
        film.mux(stream.encode(None))


def _stream(stream: VideoStream, size: tuple[int, int]) -> VideoStream:
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 2  # always two: the same film on every machine
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = 1  # 16-235
    return stream


def _frame(planes: Planes) -> av.VideoFrame:
    width, height = planes.y.size
    data = np.concatenate([np.asarray(plane).ravel() for plane in (planes.y, planes.u, planes.v)])
    return av.VideoFrame.from_ndarray(data.reshape(height * 3 // 2, width), format="yuv420p")


def _printable(title: str) -> str:
    return "".join(c for c in title[:_TITLE_LENGTH] if c.isprintable())
