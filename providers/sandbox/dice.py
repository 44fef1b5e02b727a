"""Chance that can be repeated: the same prompt and seed give the same dice on every machine."""

import hashlib
from random import Random

import numpy as np
from numpy.typing import NDArray


def dice(*salt: object) -> Random:
    """A generator seeded by everything in `salt`, in order."""
    text = "\x1f".join(str(part) for part in salt)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311  (for pictures, not for secrets)


def noise_bytes(rng: Random, height: int, width: int) -> NDArray[np.uint8]:
    """An image of independent random bytes."""
    return np.frombuffer(rng.randbytes(height * width), np.uint8).reshape(height, width)


def uniform(rng: Random, height: int, width: int) -> NDArray[np.float32]:
    """An image of independent random numbers from 0 to 1."""
    return noise_bytes(rng, height, width).astype(np.float32) / np.float32(255)
