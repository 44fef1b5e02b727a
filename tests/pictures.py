"""Pictures for tests, as somebody would upload them."""

import io
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image


def encoded(image: Image.Image, format: str = "PNG", **how: Any) -> bytes:
    """The image as a file's content."""
    target = io.BytesIO()
    image.save(target, format, **how)
    return target.getvalue()


def picture(width: int = 64, height: int = 48, format: str = "PNG", mode: str = "RGB", **how: Any) -> bytes:
    """A file with a plain orange picture."""
    return encoded(Image.new(mode, (width, height), "orange"), format, **how)


def sent(content: bytes, name: str = "picture.png", content_type: str = "image/png") -> SimpleUploadedFile:
    """The content as a browser sends it."""
    return SimpleUploadedFile(name, content, content_type)
