"""Writes a scene down as a shot description, the way a director of photography would brief a crew."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .words import Scene

_PLACES = {
    "frozen": "a wide sheet of pale ice that holds the reflection of the sky",
    "lake": "still water with wooded hills folding into the distance",
    "sea": "open water under a low horizon, long swells catching the light",
    "underwater": "deep blue water, shafts of sun slanting down from the surface",
    "forest": "tall conifers standing in rows that fade into mist",
    "desert": "bare dunes in soft curves, their ridges drawn by the light",
    "mars": "rust-red dunes under a butterscotch sky, dust hanging in the thin air",
    "mountains": "range behind range of peaks, each paler than the one before",
    "rooftops": "a staircase of slate roofs and chimneys above the quiet city",
    "street": "a narrow street of lit windows, their colors smeared on wet stone",
    "city": "a skyline of lit windows rising tier upon tier out of the haze",
    "space": "deep space, a veil of gas and dust behind a field of stars",
    "clouds": "a sea of clouds rolling out to a curved horizon",
    "island": "a dark island with leaning palms on a bright lagoon",
    "meadow": "rolling grassland, tall blades swaying close to the lens",
    "moon": "gray lunar hills under a black sky, the Earth hanging far away",
}

_LIGHTS = {
    "dawn": (
        "Cold blue air warming to peach at the horizon, a low sun just clearing the haze",
        "First light: rose over slate blue, long soft shadows",
    ),
    "morning": (
        "Clear morning light, fresh and slightly cool, with a veil of mist low on the ground",
        "A pale young sun, clean air and long gentle shadows",
    ),
    "day": ("High clear daylight, clean whites and a deep sky", "Bright open daylight softened by a little haze"),
    "golden": (
        "Golden hour: a low warm sun behind the subject, rim light on every edge",
        "Honeyed backlight, dust and pollen glowing in the air",
    ),
    "sunset": (
        "A burning sunset, orange into violet, the subject dark against it",
        "The last red sun on the horizon, its light spilling toward the camera",
    ),
    "dusk": (
        "Blue hour: the sky a deep cobalt over a last band of amber",
        "Twilight, cool and even, with the first lights coming on",
    ),
    "night": (
        "Moonlight, silver and blue, with deep but readable shadows",
        "A clear night, a bright halo around the moon and countless stars",
    ),
    "aurora": (
        "Curtains of green and violet aurora lighting the land from above",
        "Northern lights rippling overhead, their color on everything below",
    ),
}

_WEATHERS = {
    "storm": "Driving rain and a flash of lightning far off",
    "rain": "Fine rain falling straight through the light",
    "snow": "Slow snow drifting past the lens in three depths",
    "fog": "Banks of mist sliding between the layers",
    "clouds": "Broad clouds moving slowly overhead",
    "wind": "A steady wind bending everything it touches",
}

_LENSES = (
    "Shot on a 35 mm lens at f/2.8",
    "A 50 mm lens, wide open",
    "A long 85 mm lens compressing the distance",
    "An anamorphic 40 mm lens with soft oval highlights",
    "A wide 24 mm lens close to the ground",
)
_MOVES = (
    "a slow truck to the right with deep parallax",
    "a slow truck to the left, foreground sliding past",
    "a patient tracking move that keeps pace with the subject",
    "a gentle drift sideways, the horizon level",
    "a barely noticeable push that lets the layers part",
)
_FINISHES = (
    "fine film grain, restrained contrast",
    "soft vignette and natural grain",
    "muted palette, a filmic roll-off",
    "deep blacks, delicate highlights, light grain",
)
_MOODS = {
    "dramatic": "The mood is tense and grand",
    "serene": "The mood is calm, nothing hurries",
    "lonely": "The frame leaves much empty space around the subject",
    "joyful": "The mood is light and playful",
    "mysterious": "Something is left hidden in the shadows",
    "romantic": "The mood is tender and warm",
}
_STYLES = {
    "noir": "Black and white, hard light",
    "neon": "Magenta and cyan neon against deep blue",
    "pastel": "Soft pastel washes, like a picture book",
    "vintage": "Faded print colors of an old reel",
}


def describe(prompt: str, scene: Scene, rng: Random, *, style: str = "") -> str:
    """About 40 to 80 words after the prompt's own, one sentence for each thing a crew must know."""
    sentences = [
        _opening(prompt),
        f"The setting is {_PLACES[scene.place]}.",
        rng.choice(_LIGHTS[scene.time]) + ".",
        *_optional(scene),
        f"{rng.choice(_LENSES)}, {rng.choice(_MOVES)}; {rng.choice(_FINISHES)}.",
    ]
    if style.strip():
        sentences.append(f"Style: {style.strip()}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _opening(prompt: str) -> str:
    """The user's words as they are, closed by a period where they have no end of their own."""
    words = prompt.strip()
    ended = not words or words[-1] in ".!?…。！？؟"  # noqa: RUF001
    return words if ended else f"{words}."


def _optional(scene: Scene) -> list[str]:
    lines = [
        table.get(word, "")
        for table, word in ((_WEATHERS, scene.weather), (_MOODS, scene.mood), (_STYLES, scene.style))
    ]
    return [f"{line}." for line in lines if line]
