"""A picture of the user's own: looked at before it is decoded, and drawn anew, so that only its pixels are kept.

What it is counts by its content, never by its name or the type it claims. Position, camera and author go; so does
whatever else may hide in a file.
"""

import hashlib
import io
import uuid
import warnings
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.base import File
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from providers import gateway
from providers.base import ProviderError
from workflows import media
from workflows.models import Asset
from workflows.prompts import InvalidInput

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FORMATS = ("PNG", "JPEG", "WEBP")
SMALLEST_SIDE = 16  # pixels
QUALITY = 92  # of JPEG, with full color resolution: a model will look at it


class TooLarge(InvalidInput):
    """The file has more bytes than may be uploaded."""


def upload(user: "User", file: "File[bytes]") -> Asset:
    """Keep a picture; raises InvalidInput naming `image` (TooLarge for its bytes), and nothing is kept then."""
    require_size(file.size or 0)
    content = _drawn_anew(file)
    asset = media.store(
        io.BytesIO(content),
        len(content),
        hashlib.sha256(content).hexdigest(),
        name=f"uploads/{uuid.uuid4()}",
        kind=Asset.Kind.IMAGE,
    )
    asset.user, asset.uploaded = user, True
    try:
        asset.save(force_insert=True)
    except BaseException:
        asset.delete_files()
        raise
    return asset


def upload_from(user: "User", url: object) -> Asset:
    """Fetch a picture from an https address and keep it; raises InvalidInput naming `url` or `image`."""
    if not isinstance(url, str) or not url.startswith("https://") or len(url) > 2000:
        raise InvalidInput({"url": _("This must be an https address.")})
    try:
        with gateway.at_address(url, limit=settings.UPLOAD_MAX_BYTES) as file:
            return upload(user, File(file))
    except ProviderError as error:
        text = _("Nothing could be fetched from this address. It must be public and lead to a picture.")
        raise InvalidInput({"url": text}) from error


def require_size(size: int) -> None:
    """Raise TooLarge for more bytes than may be uploaded."""
    if size > settings.UPLOAD_MAX_BYTES:
        limit = settings.UPLOAD_MAX_BYTES // (1024 * 1024)
        raise TooLarge({"image": _("This file is too large; at most %(limit)d MB are possible.") % {"limit": limit}})


def _drawn_anew(file: "File[bytes]") -> bytes:
    """The picture upright, without metadata, as PNG if it can be seen through and else as JPEG."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                _require_measures(image.width, image.height)
                return _encoded(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidInput({"image": _too_many_pixels()}) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        text = _("This is not a PNG, JPEG or WebP picture that can be opened.")
        raise InvalidInput({"image": text}) from error


def _require_measures(width: int, height: int) -> None:
    """Refuse by what the header says, before anything is decoded."""
    if width * height > settings.UPLOAD_MAX_PIXELS or max(width, height) > settings.UPLOAD_MAX_SIDE:
        raise InvalidInput({"image": _too_many_pixels()})
    if min(width, height) < SMALLEST_SIDE:
        raise InvalidInput(
            {"image": _("This picture is too small; each side needs %(least)d pixels.") % {"least": SMALLEST_SIDE}}
        )


def _too_many_pixels() -> str:
    return _("This picture is too big; at most %(side)d pixels a side and %(pixels)d million in all are possible.") % {
        "side": settings.UPLOAD_MAX_SIDE,
        "pixels": settings.UPLOAD_MAX_PIXELS // 1_000_000,
    }


def _encoded(image: Image.Image) -> bytes:
    target = io.BytesIO()
    if image.mode.startswith("I"):  # 16 bits of gray; Pillow cuts them off instead of scaling them
        image = image.point(lambda value: value / 256).convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        _only_pixels(image.convert("RGBA")).save(target, "PNG")
    else:
        _only_pixels(image.convert("RGB")).save(target, "JPEG", quality=QUALITY, subsampling=0)
    return target.getvalue()


def _only_pixels(image: Image.Image) -> Image.Image:
    image.info.clear()
    return image
