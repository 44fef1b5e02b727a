"""Who can appear: for each subject its figure, its size in the frame, where it belongs and how it moves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from . import animals, creatures, landmarks, machines, people
from .shapes import Figure
from .stage import Motion

Medium = Literal["ground", "water", "air", "deep"]


@dataclass(frozen=True, slots=True)
class Part:
    """A subject. `size` is the figure's unit as a share of the frame's; `period` the seconds of one cycle."""

    draw: Callable[[float], Figure]
    size: float
    medium: Medium
    motion: Motion
    period: float = 4.0
    travel: float = 0.0  # frame widths per film
    low: float = 0.0  # how far the origin is below where it seems to stand, in units
    pale: float = 0.26  # of its far side
    height: float = 0.5  # of fliers: above the horizon, as a share of the sky


CAST: dict[str, Part] = {
    "fox": Part(animals.fox, 0.235, "ground", "walk", 1.5, 0.2),
    "wolf": Part(animals.wolf, 0.26, "ground", "walk", 1.6, 0.2),
    "dog": Part(animals.dog, 0.22, "ground", "walk", 1.3, 0.2),
    "cat": Part(animals.cat, 0.19, "ground", "walk", 1.6, 0.14),
    "sitting cat": Part(animals.sitting_cat, 0.3, "ground", "still", 4.0),
    "horse": Part(animals.horse, 0.3, "ground", "walk", 0.8, 0.26),
    "deer": Part(animals.deer, 0.28, "ground", "walk", 1.9, 0.13),
    "bear": Part(animals.bear, 0.27, "ground", "walk", 1.9, 0.13),
    "lion": Part(animals.lion, 0.26, "ground", "walk", 1.8, 0.15),
    "elephant": Part(animals.elephant, 0.38, "ground", "walk", 2.3, 0.1),
    "rabbit": Part(animals.rabbit, 0.22, "ground", "still", 2.6),
    "cow": Part(animals.cow, 0.25, "ground", "walk", 2.2, 0.08),
    "sheep": Part(animals.sheep, 0.2, "ground", "walk", 1.8, 0.08),
    "camel": Part(animals.camel, 0.26, "ground", "walk", 2.1, 0.12),
    "bird": Part(creatures.gull, 0.17, "air", "fly", 0.95, 0.16, height=0.52),
    "eagle": Part(creatures.eagle, 0.24, "air", "float", 3.4, 0.14, height=0.6),
    "butterfly": Part(creatures.butterfly, 0.24, "air", "fly", 1.1, 0.1, height=0.36),
    "whale": Part(creatures.breaching_whale, 0.34, "water", "rise", 5.0),
    "deep whale": Part(creatures.whale, 0.3, "deep", "swim", 4.4, 0.12),
    "dolphin": Part(creatures.dolphin, 0.28, "water", "rise", 3.0),
    "deep dolphin": Part(creatures.dolphin, 0.28, "deep", "swim", 3.0, 0.12),
    "fish": Part(creatures.shoal, 0.3, "deep", "swim", 2.0, 0.1),
    "jellyfish": Part(creatures.jellyfish, 0.36, "deep", "float", 3.2),
    "turtle": Part(creatures.turtle, 0.34, "deep", "swim", 3.0, 0.1),
    "dragon": Part(creatures.dragon, 0.24, "air", "fly", 1.7, 0.14, height=0.56),
    "robot": Part(people.robot, 0.44, "ground", "walk", 2.0, 0.08),
    "astronaut": Part(people.astronaut, 0.36, "ground", "walk", 2.1, 0.08),
    "knight": Part(people.knight, 0.38, "ground", "walk", 1.7, 0.08),
    "dancer": Part(people.dancer, 0.4, "ground", "still", 3.0),
    "child": Part(people.child, 0.3, "ground", "walk", 1.2, 0.1),
    "couple": Part(people.couple, 0.36, "ground", "still", 4.0),
    "person": Part(people.person, 0.34, "ground", "walk", 1.5, 0.1),
    "hiker": Part(people.hiker, 0.32, "ground", "walk", 1.5, 0.09),
    "wanderer": Part(people.wanderer, 0.34, "ground", "walk", 1.9, 0.08),
    "umbrella": Part(people.umbrella, 0.4, "ground", "walk", 1.5, 0.08),
    "cyclist": Part(machines.cyclist, 0.25, "ground", "walk", 1.1, 0.22),
    "ship": Part(machines.sailing_ship, 0.27, "water", "bob", 4.4, 0.07),
    "boat": Part(machines.rowing_boat, 0.2, "water", "bob", 3.6, 0.06),
    "train": Part(machines.train, 0.17, "ground", "ride", 0.9, 0.5, pale=0.62),
    "car": Part(machines.car, 0.24, "ground", "ride", 0.8, 0.14),
    "plane": Part(machines.plane, 0.26, "air", "float", 4.0, 0.2, height=0.58),
    "balloon": Part(machines.balloon, 0.32, "air", "float", 5.0, 0.06, height=0.4),
    "rocket": Part(machines.rocket, 0.3, "air", "rise", 0.8, height=0.5),
    "lighthouse": Part(landmarks.lighthouse, 0.34, "water", "still", 5.0),
    "eiffel": Part(landmarks.eiffel_tower, 0.44, "ground", "still", 5.0),
    "windmill": Part(landmarks.windmill, 0.36, "ground", "still", 6.0),
    "castle": Part(landmarks.castle, 0.3, "ground", "still", 3.0, low=-0.12),
    "cabin": Part(landmarks.cabin, 0.3, "ground", "still", 4.0),
    "lantern": Part(landmarks.lanterns, 0.32, "air", "float", 5.0, height=0.04),
    "tent": Part(landmarks.tent, 0.3, "ground", "still", 1.4),
    "flower": Part(landmarks.flower, 0.36, "ground", "still", 3.6),
    "tree": Part(landmarks.tree, 0.42, "ground", "still", 5.0),
    "ufo": Part(machines.ufo, 0.22, "air", "float", 3.0, 0.05, height=0.55),
    "planet": Part(landmarks.planet, 0.3, "air", "float", 8.0, height=0.5),
}

# A hint of the subject's own color in its silhouette.
# fmt: off
TINTS: dict[str, tuple[int, int, int]] = {
    "fox": (190, 78, 26), "lion": (150, 100, 44), "deer": (112, 66, 36), "horse": (96, 52, 30), "bear": (84, 56, 40),
    "astronaut": (150, 158, 176), "robot": (128, 84, 58), "balloon": (176, 44, 40), "ship": (120, 70, 44),
    "rocket": (150, 60, 60),    "tree": (40, 74, 40), "flower": (190, 40, 50), "jellyfish": (150, 80, 190),
    "turtle": (50, 110, 84),
    "whale": (40, 66, 96),    "car": (140, 36, 40), "dragon": (66, 30, 44), "butterfly": (60, 60, 150),
    "fish": (190, 90, 50),
    "elephant": (92, 88, 96),    "camel": (150, 100, 56), "cabin": (90, 52, 34), "windmill": (96, 66, 50),
    "tent": (110, 60, 34),
    "child": (150, 50, 46),
}
# fmt: on

_UNDER_WATER = {"whale": "deep whale", "dolphin": "deep dolphin"}
_MANY = {"bird", "butterfly", "balloon", "jellyfish", "eagle", "sheep", "cow", "camel", "fish", "tree", "lantern"}


def part(subject: str, place: str) -> Part | None:
    """The part for a subject at a place; none where nobody is to be seen."""
    if place in {"underwater", "clouds", "space"} and subject in _UNDER_WATER:
        subject = _UNDER_WATER[subject]
    if subject == "cat" and place in {"rooftops", "city"}:
        subject = "sitting cat"
    if subject == "person":
        subject = {
            "mountains": "hiker",
            "forest": "wanderer",
            "moon": "astronaut",
            "space": "astronaut",
            "street": "umbrella",
        }.get(place, "person")
    return CAST.get(subject)


def companions(subject: str) -> int:
    """How many more of its kind may be seen farther off."""
    return 2 if subject in _MANY else 0
