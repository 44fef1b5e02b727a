"""Reads a prompt: which subject, place, hour, weather, season and mood it names, and what to assume of the rest."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from . import vocabulary
from .dice import dice
from .prose import describe

_LONGEST_READ = 4_000  # characters; a scene is decided well before
_LONGEST_PHRASE = 4  # words

Index = Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a prompt means to the sandbox. All but `second`, `mood` and `style` are always filled."""

    subject: str
    place: str
    time: str
    weather: str
    season: str
    second: str = ""
    mood: str = ""
    style: str = ""


def read(prompt: str, *, seed: int = 0, style: str = "") -> Scene:
    """The scene of a prompt. The seed decides what the words leave open; any text gives a scene."""
    tokens = _tokens(f"{prompt[:_LONGEST_READ]} {style[:200]}")
    signs = _signs(prompt[:_LONGEST_READ])
    rng = dice("scene", seed, prompt)
    subjects = [*_find(tokens, _SUBJECTS), *(s for s in signs if s in vocabulary.SUBJECTS)]
    place = _first(tokens, signs, _PLACES)
    time = _first(tokens, signs, _TIMES)
    weather = _first(tokens, signs, _WEATHERS)
    season = _first(tokens, signs, _SEASONS)
    subject = subjects[0] if subjects else _lone_subject(place, rng)
    place = place or _home(subject, season, rng)
    style_word = _first(tokens, [], _STYLES)
    return Scene(
        subject=subject,
        place=place,
        time=time or _hour(place, weather, style_word, rng),
        weather=weather or ("snow" if season == "winter" and rng.random() < 0.4 else "clear"),
        season=season or ("winter" if weather == "snow" or place == "frozen" else "summer"),
        second=next((other for other in subjects[1:] if other != subject), ""),
        mood=_first(tokens, [], _MOODS),
        style=style_word,
    )


def enhance(prompt: str, *, style: str = "", seed: int = 0) -> str:
    """The prompt as a shot description: the user's words verbatim, then light, lens and camera, by rule.

    Deterministic for a prompt, style and seed. A blank prompt gives the description alone.
    """
    return describe(prompt, read(prompt, seed=seed, style=style), dice("prose", seed, prompt, style), style=style)


def _tokens(text: str) -> list[str]:
    """Words in lower case without accents: "Château d'été" gives chateau, d, ete."""
    bare = unicodedata.normalize("NFKD", text).casefold()
    return re.findall(r"[a-z0-9]+", "".join(c for c in bare if not unicodedata.combining(c)))


def _signs(text: str) -> list[str]:
    """Names of the scene words written in other scripts."""
    found = ((text.find(sign), name) for sign, name in vocabulary.SIGNS.items())
    return [name for at, name in sorted(found) if at >= 0]


def _index(table: Mapping[str, str]) -> Index:
    return {tuple(word.split("_")): name for name, words in table.items() for word in words.split()}


_SUBJECTS, _PLACES, _TIMES = _index(vocabulary.SUBJECTS), _index(vocabulary.PLACES), _index(vocabulary.TIMES)
_WEATHERS, _SEASONS = _index(vocabulary.WEATHERS), _index(vocabulary.SEASONS)
_MOODS, _STYLES = _index(vocabulary.MOODS), _index(vocabulary.STYLES)


def _find(tokens: list[str], index: Index) -> list[str]:
    """Names of the table in the order in which the tokens mention them; a longer phrase wins over a shorter."""
    names: list[str] = []
    at = 0
    while at < len(tokens):
        size, name = _match(tokens, at, index)
        if name and name not in names:
            names.append(name)
        at += size
    return names


def _match(tokens: list[str], at: int, index: Index) -> tuple[int, str]:
    for size in range(min(_LONGEST_PHRASE, len(tokens) - at), 0, -1):
        phrase = tuple(tokens[at : at + size])
        for form in (phrase, *_singulars(phrase)):
            if form in index:
                return size, index[form]
    return 1, ""


def _singulars(phrase: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    head, last = phrase[:-1], phrase[-1]
    if len(last) > 3 and last[-1] in "sx":
        yield (*head, last[:-1])
        if last.endswith("es"):
            yield (*head, last[:-2])


def _first(tokens: list[str], signs: list[str], index: Index) -> str:
    known = set(index.values())
    return min([*_find(tokens, index), *(sign for sign in signs if sign in known)], key=_weight, default="")


def _weight(name: str) -> int:
    """Rarer, more telling words come first: a frozen lake before a lake, northern lights before a night."""
    telling = {"frozen": 0, "mars": 0, "underwater": 0, "moon": 0, "aurora": 0, "storm": 0, "rooftops": 0, "golden": 0}
    general = {"clouds": 9, "city": 2, "night": 2, "day": 3, "meadow": 2}
    return telling.get(name, general.get(name, 1))


def _lone_subject(place: str, rng: Random) -> str:
    """Whom to show when the words name nobody: places may stand alone, ideas get a lone figure or a light."""
    alone = {
        "underwater": "jellyfish fish turtle",
        "space": "astronaut planet",
        "sea": "boat ship bird none",
        "city": "none bird",
        "street": "umbrella",
        "clouds": "balloon bird plane",
        "moon": "astronaut",
        "frozen": "person bear none",
        "lake": "boat bird none",
        "forest": "deer person none",
        "rooftops": "cat",
        "mountains": "bird person none",
        "desert": "camel person",
        "mars": "astronaut robot",
        "island": "boat none",
        "meadow": "tree person bird",
    }
    return rng.choice(alone.get(place, "person lantern boat tree balloon couple umbrella bird").split())


def _home(subject: str, season: str, rng: Random) -> str:
    if subject == "umbrella":
        return "street"
    homes = vocabulary.HOMES.get(subject, "lake meadow mountains sea").split()
    if season == "winter" and subject in {"fox", "wolf", "person", "bear"}:
        homes = ["frozen", "forest", "mountains"]
    return rng.choice(homes)


def _hour(place: str, weather: str, style: str, rng: Random) -> str:
    if place in {"space", "moon"}:
        return "night"
    if style == "neon" or place == "street":
        return "night"
    if weather in {"storm", "rain"}:
        return rng.choice(["dusk", "night"])
    if place == "underwater":
        return rng.choice(["day", "morning", "dusk"])
    if place in {"desert", "mars"}:
        return rng.choice(["golden", "sunset", "dusk"])
    return rng.choice(["dawn", "golden", "sunset", "dusk", "night", "morning"])
