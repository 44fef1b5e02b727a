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


def remembered(image: bytes) -> tuple[str, int] | None:
    """The prompt and seed a picture was drawn from; none where it is not ours, or was changed since."""
    try:
        with Image.open(io.BytesIO(image)) as picture:
            scene = json.loads(getattr(picture, "text", {}).get(CHUNK, "null"))
            if not isinstance(scene, dict) or scene.get("version") != VERSION:
                return None
            prompt, seed, pixels = scene.get("prompt"), scene.get("seed"), hashlib.sha256(picture.tobytes()).hexdigest()
    except (OSError, ValueError, SyntaxError):
        return None
    if not isinstance(prompt, str) or type(seed) is not int or scene.get("pixels") != pixels:
        return None
    return prompt, seed
