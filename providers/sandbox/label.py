"""The words every sandbox picture and film carries, visibly and in its metadata."""

from functools import lru_cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

LABEL = "sandbox preview · not AI"
COMMENT = "sandbox preview, not AI"
SOFTWARE = "VidGenie sandbox"


@lru_cache(maxsize=16)
def label_masks(width: int, height: int) -> tuple[tuple[int, int], Image.Image, Image.Image]:
    """Where the label goes in a frame of this size, and its masks: soft shadow, letters."""
    size = max(9.0, min(width, height) * 0.022)
    font = ImageFont.load_default(size=size)
    left, top, right, bottom = font.getbbox(LABEL)
    room = round(size)
    box = (int(right - left) + 2 * room, int(bottom - top) + 2 * room)
    letters = Image.new("L", box)
    ImageDraw.Draw(letters).text((room - left, room - top), LABEL, fill=190, font=font)
    shadow = letters.filter(ImageFilter.GaussianBlur(size * 0.22)).point([min(170, round(v * 1.2)) for v in range(256)])
    at = (width - box[0] - round(size * 0.5), height - box[1] - round(size * 0.3))
    return at, shadow, letters


def stamp(picture: Image.Image, dark: int | tuple[int, ...], light: int | tuple[int, ...]) -> None:
    """Writes the label into a corner of an RGB picture or of a plane of brightness."""
    at, shadow, letters = label_masks(picture.width, picture.height)
    picture.paste(dark, at, shadow)
    picture.paste(light, at, letters)
