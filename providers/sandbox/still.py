"""Draws a prompt as a still picture, a PNG that remembers what it was drawn from."""

import hashlib
import io
import json

from PIL import Image, PngImagePlugin

from .compose import compose, developed
from .dice import dice
from .label import COMMENT, SOFTWARE, stamp
from .paint import dithered

CHUNK = "vidgenie-scene"
VERSION = 1


def draw_still(prompt: str, *, width: int, height: int, seed: int) -> bytes:
    """A PNG of exactly this size. The same prompt, size and seed give the same bytes."""
    stage = compose(prompt, width=width, height=height, seed=seed)
    rgb = Image.fromarray(dithered(developed(stage), dice("dither", seed)))
    stamp(rgb, (0, 0, 0), (255, 255, 255))
    return _png(rgb, prompt, seed)


def _png(picture: Image.Image, prompt: str, seed: int) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", SOFTWARE)
    info.add_text("Comment", COMMENT)
    clean = prompt.encode("utf-8", "replace").decode()
    info.add_itxt("Description", clean)
    pixels = hashlib.sha256(picture.tobytes()).hexdigest()
    scene = {"prompt": clean, "seed": seed, "version": VERSION, "pixels": pixels}
    info.add_itxt(CHUNK, json.dumps(scene, ensure_ascii=False))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=3)
    return buffer.getvalue()
