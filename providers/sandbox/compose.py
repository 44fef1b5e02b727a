"""Composes a scene: reads the prompt, sets the light, builds the place, adds the weather; then develops the still."""

import numpy as np

from . import weather
from .air import fallen
from .dice import dice
from .paint import Floats, distances, speckle
from .palette import choose
from .scenes import PLACES
from .stage import Stage
from .words import read

# fmt: off
_HORIZONS = {"frozen": 0.6, "lake": 0.58, "sea": 0.62, "island": 0.6, "desert": 0.62, "mars": 0.62, "mountains": 0.74,
             "forest": 0.72, "city": 0.72, "street": 0.7, "rooftops": 0.62, "meadow": 0.68, "moon": 0.66, "clouds": 0.7,
             "space": 1.0, "underwater": 1.0}
# fmt: on


def compose(prompt: str, *, width: int, height: int, seed: int) -> Stage:
    """The stage of a prompt, complete."""
    scene = read(prompt, seed=seed)
    rng = dice("stage", seed, prompt)
    stage = Stage(width, height, scene, choose(scene, rng), rng)
    tall = stage.height > stage.width
    stage.horizon = round(height * _HORIZONS.get(scene.place, 0.62) + (0.04 * height if tall else 0))
    _place_light(stage)
    PLACES[scene.place](stage)
    _air(stage)
    return stage


def _place_light(stage: Stage) -> None:
    side = stage.rng.choice([-1, 1])
    across = stage.rng.uniform(0.1, 0.2) if stage.palette.altitude < 0.5 else stage.rng.uniform(0.18, 0.3)
    limit = 0.24 if stage.height > stage.width else 0.4
    x = stage.width * (0.5 + side * min(across, limit))
    y = stage.horizon - stage.palette.altitude * min(stage.horizon, stage.unit * 0.9)
    stage.light = (x, max(y, stage.unit * 0.1))


def _air(stage: Stage) -> None:
    """Weather in front of everything."""
    scene = stage.scene
    if scene.place in {"space", "moon", "clouds"}:
        return
    if scene.place == "underwater":
        weather.bubbles(stage)
    elif scene.weather == "storm":
        weather.rain(stage, hard=True)
    elif scene.weather == "rain":
        weather.rain(stage, hard=False)
    elif scene.weather == "snow":
        weather.snow(stage)
    elif scene.season == "autumn":
        weather.leaves(stage)
    elif scene.time in {"dusk", "night"} and scene.place in {"meadow", "forest"} and scene.season != "winter":
        weather.fireflies(stage)
    elif scene.time in {"golden", "dawn", "sunset", "morning"}:
        weather.dust(stage)


def developed(stage: Stage) -> Floats:
    """The finished still: what falls, the beam, then vignette, grain and a filmic curve."""
    picture = stage.frame().copy()
    fallen(stage, picture)
    height, width = picture.shape[:2]
    reach = distances(height, width, width / 2, height * 0.48, width / height) / np.float32(height * 0.72)
    picture *= (1 - 0.34 * np.clip(reach - 0.35, 0, 1) ** 1.7)[..., None]
    tone = picture / 255
    tone = tone + 0.10 * (tone - 0.5) * tone * (1 - tone) * 4
    rng = dice("grain", stage.width, stage.height)
    tone += (speckle(rng, height, width) * np.float32(0.016))[..., None]
    return tone * np.float32(255)
