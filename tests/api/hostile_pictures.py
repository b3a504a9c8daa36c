"""Pictures that are made to do harm: few bytes that cost much, and files that are more than one."""

import io
import struct
import zlib

from PIL import Image

SCAN = b"\xff\xda"
GPS = {1: "N", 2: (31.0, 34.0, 12.3), 3: "E", 4: (120.0, 18.0, 7.7)}
GPS_POINTER, ORIENTATION, MAKER = 0x8825, 0x0112, 0x010F
SCRIPT = b"<script>alert(1)</script>"


def encoded(image, form, **more):
    content = io.BytesIO()
    image.save(content, form, **more)
    return content.getvalue()


def face(form="JPEG", size=(120, 150), **more):
    """A picture in colour, without metadata."""
    return encoded(Image.radial_gradient("L").resize(size).convert("RGB"), form, **more)


def many_scans(scans, size=(2000, 2000)):
    """A progressive JPEG whose last scan, of 12 bytes, comes so many times: each time the decoder
    goes through all blocks of the picture."""
    whole = encoded(Image.new("L", size, 128), "JPEG", progressive=True, quality=50)
    last = whole.rindex(SCAN)
    return whole[:-2] + whole[last:-2] * scans + whole[-2:]


def with_place(form="JPEG", **more):
    """A picture that says where it was taken, with what, and how the camera was held."""
    exif = Image.Exif()
    exif[MAKER] = "Secret Camera Works"
    exif[ORIENTATION] = 6
    exif.get_ifd(GPS_POINTER).update(GPS)
    return face(form, exif=exif, **more)


def with_comment(comment=SCRIPT):
    """Valid as a JPEG, and something else for a reader that looks for that."""
    return face("JPEG", comment=comment)


def with_tables(text=SCRIPT):
    """With a text in place of a table of quantization, each byte of which is allowed."""
    whole = face("JPEG")
    at = whole.index(b"\xff\xdb") + 5
    return whole[:at] + text.ljust(64, b"!") + whole[at + 64 :]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_with(name, data):
    """A PNG with a chunk more."""
    whole = face("PNG")
    header_end = 8 + 25
    return whole[:header_end] + chunk(name, data) + whole[header_end:]


def ended_twice(form, payload):
    """A file after the picture, and the picture's last bytes once more."""
    end = {"JPEG": b"\xff\xd9", "PNG": chunk(b"IEND", b"")}[form]
    return face(form) + payload + end


def bomb(width=12_000, height=12_000):
    """A PNG of a few kilobytes that claims to have 144 million pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(2_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")
