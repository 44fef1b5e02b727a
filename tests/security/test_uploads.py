"""An upload is looked at before it is decoded, drawn anew, and leaves nothing behind when it is refused."""

import hashlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django_q.models import OrmQ
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.pictures import encoded, picture, sent
from workflows import drawing, uploads
from workflows.models import Asset
from workflows.prompts import InvalidInput

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><rect width="9"/></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


def content_of(name: str) -> bytes:
    return Path(default_storage.path(name)).read_bytes()


def kept(name: str) -> Image.Image:
    return Image.open(io.BytesIO(content_of(name)))


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has nearly no data: decoding it would take width * height * 4 bytes."""
    chunk = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 6, 0, 0, 0)
    rest = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + rest


REFUSED = {
    "nothing": b"",
    "no image": b"hello" * 100,
    "an SVG": SVG,
    "a page": HTML,
    "a page in a GIF": b"GIF89a/*" + HTML + b"*/",
    "a GIF": picture(format="GIF", mode="P"),
    "a BMP": picture(format="BMP"),
    "a TIFF": picture(format="TIFF"),
    "a PDF": picture(format="PDF"),
    "a PNG cut off": picture(600, 400)[:-40],
    "a JPEG cut off": encoded(Image.effect_noise((200, 200), 80), "JPEG")[:3000],
    "a WebP cut off": encoded(Image.effect_noise((200, 200), 80), "WEBP")[:1000],
    "only a header": picture()[:33],
    "a bomb": png_header(30_000, 30_000),
    "a small bomb": png_header(8000, 8000),
    "a long strip": png_header(8193, 16),
    "no height": png_header(64, 0),
    "too small": picture(15, 64),
    "a name of a file": b"/etc/passwd",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses_what_is_no_picture_and_keeps_nothing(alice, tmp_path, content):
    with pytest.raises(InvalidInput) as refusal:
        uploads.upload(alice, sent(content))
    assert list(refusal.value.errors) == ["image"]
    assert (Asset.objects.count(), OrmQ.objects.count()) == (0, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_it_decodes_nothing_of_a_bomb(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    limits = {"pixels": 25_000_000, "side": 8192, "least": 16, "thumbnail": 400}
    with pytest.raises(drawing.Refused, match="too_big"):
        drawing.draw(io.BytesIO(png_header(6000, 6000)), io.BytesIO(), limits)


def test_what_takes_too_much_memory_is_refused_and_not_by_us(alice, settings):
    settings.UPLOAD_MAX_PIXELS, settings.UPLOAD_MAX_SIDE = 85_000_000, 10_000  # 324 MB, twice
    with pytest.raises(InvalidInput, match="too much memory or time"):
        uploads.upload(alice, sent(encoded(Image.new("L", (9000, 9000)), "PNG")))
    assert not Asset.objects.exists()


DRAWERS = {
    "that loops": ("while True: pass", "too much memory or time"),
    "that is killed": ("os.kill(os.getpid(), 9)", "too much memory or time"),
    "whose time is up": ("os.kill(os.getpid(), 24)", "too much memory or time"),
    "that crashes": ("os.abort()", "not a PNG, JPEG or WebP picture"),
    "that goes wrong": ("raise SystemExit(1)", "not a PNG, JPEG or WebP picture"),
}


@pytest.mark.parametrize(("line", "sentence"), DRAWERS.values(), ids=DRAWERS.keys())
def test_a_drawer_is_given_up(alice, tmp_path, monkeypatch, line, sentence):
    program = tmp_path / "drawer.py"
    program.write_text(f"import os\n{line}")
    monkeypatch.setattr(drawing, "__file__", str(program))
    monkeypatch.setattr(uploads, "LONGEST", 1 if "loop" in line or "while" in line else 60)
    with pytest.raises(InvalidInput, match=sentence):
        uploads.upload(alice, sent(picture()))
    assert not Asset.objects.exists()


def test_a_drawer_is_told_no_secret_and_has_its_limits(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "a secret")
    program = tmp_path / "drawer.py"
    source = Path(drawing.__file__).read_text().replace("told = draw(", "told = looked_around() or draw(")
    program.write_text(
        source.replace(
            "def main(",
            "def looked_around():\n"
            "    import os\n"
            "    limits = [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]\n"
            "    return {'environment': sorted(os.environ), 'limits': limits}\n\n\n"
            "def main(",
        )
    )
    monkeypatch.setattr(drawing, "__file__", str(program))
    with open(tmp_path / "drawn", "wb") as target:
        told = uploads._told_by_drawer(picture(), target)
    assert set(told["environment"]) <= {"LC_CTYPE"}
    assert told["limits"] == [512 * 1024 * 1024, 10]


def test_it_refuses_more_bytes_than_allowed_before_reading_them(alice, settings):
    settings.UPLOAD_MAX_BYTES = 100
    file = sent(picture(format="BMP"))
    with pytest.raises(uploads.TooLarge):
        uploads.upload(alice, file)
    assert file.tell() == 0


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_what_it_is_counts_and_not_what_it_claims(alice, format):
    asset = uploads.upload(alice, sent(picture(format=format), "../../x.html", "text/html"))
    assert (asset.content_type, asset.width, asset.height) == ("image/jpeg", 64, 48)
    assert asset.file.startswith("uploads/")
    assert asset.file.endswith(".jpg")


def test_what_can_be_seen_through_stays_so(alice):
    asset = uploads.upload(alice, sent(encoded(Image.new("RGBA", (64, 64), (255, 0, 0, 100)), "WEBP", lossless=True)))
    assert asset.content_type == "image/png"
    assert kept(asset.file).getpixel((5, 5)) == (255, 0, 0, 100)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_is_taken(alice, mode):
    content = encoded(Image.new(mode, (64, 64)), "JPEG" if mode == "CMYK" else "PNG")
    asset = uploads.upload(alice, sent(content))
    assert (asset.width, asset.height) == (64, 64)


def test_sixteen_bits_of_gray_stay_gray(alice):
    asset = uploads.upload(alice, sent(encoded(Image.new("I;16", (64, 64), 32768), "PNG")))
    assert kept(asset.file).getpixel((5, 5)) == (128, 128, 128)


def test_it_is_turned_upright(alice):
    image, exif = Image.new("RGB", (100, 50), "red"), Image.Exif()
    exif[0x0112] = 6
    asset = uploads.upload(alice, sent(encoded(image, "JPEG", exif=exif)))
    assert (asset.width, asset.height) == (50, 100)


def test_only_the_first_picture_of_several_is_kept(alice):
    red, blue = (Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    asset = uploads.upload(alice, sent(encoded(red, "WEBP", save_all=True, append_images=[blue], lossless=True)))
    assert kept(asset.file).getpixel((5, 5)) == (254, 0, 0)


def smuggling() -> dict[str, bytes]:
    """Files that carry a secret beside their pixels."""
    exif, info = Image.Exif(), PngInfo()
    exif[0x010F] = exif[0x013B] = "SECRET"
    info.add_text("Comment", "SECRET")
    image, clear = Image.new("RGB", (64, 64)), Image.new("RGBA", (64, 64))
    return {
        "EXIF in a JPEG": encoded(image, "JPEG", exif=exif),
        "EXIF in a PNG": encoded(clear, "PNG", exif=exif),
        "EXIF in a WebP": encoded(clear, "WEBP", exif=exif),
        "XMP": encoded(image, "JPEG", xmp=b"<x>SECRET</x>"),
        "a color profile": encoded(clear, "PNG", icc_profile=b"SECRET" * 30),
        "text": encoded(clear, "PNG", pnginfo=info),
        "a comment": encoded(image, "JPEG", comment=b"SECRET"),
        "a page behind it": encoded(clear, "PNG") + b"SECRET" + HTML,
        "a page behind a JPEG": encoded(image, "JPEG") + b"SECRET" + HTML,
    }


@pytest.mark.parametrize("content", smuggling().values(), ids=smuggling().keys())
def test_only_its_pixels_are_kept(alice, content):
    asset = uploads.upload(alice, sent(content))
    for name in (asset.file, asset.thumbnail):
        stored, found = content_of(name), kept(name)
        assert b"SECRET" not in stored
        assert HTML not in stored
        assert not found.getexif()
        assert not {"icc_profile", "exif", "comment", "xmp", "Comment"} & set(found.info)


def test_it_is_measured_hashed_and_belongs_to_its_owner(alice):
    asset = uploads.upload(alice, sent(picture(800, 600)))
    content = content_of(asset.file)
    assert (asset.user, asset.uploaded, asset.kind, asset.size) == (alice, True, "image", len(content))
    assert hashlib.sha256(content).hexdigest() == asset.sha256
    assert kept(asset.thumbnail).size == (400, 300)


def test_files_are_taken_back_when_the_row_cannot_be_written(alice, tmp_path, monkeypatch):
    def fail(self, **how):
        raise RuntimeError("the database is away")

    monkeypatch.setattr(Asset, "save", fail)
    with pytest.raises(RuntimeError, match="away"):
        uploads.upload(alice, sent(picture()))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
