"""Who asks for what: people at pages and programs at the API, drawn by weight as they come along.

Four requests in five read. It runs in the generator's process, where nothing of Django is loaded.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlencode

CSRF = "loadloadloadloadloadloadloadload"  # cookie and header of one value are what Django compares
HOST = "127.0.0.1"
REMEMBERED = 20  # runs of a person that are looked at again
MODELS = {"text_model": "gpt", "image_model": "gpt-image", "video_model": "runway", "duration_seconds": 5}
PROMPTS = ("a fox crossing a frozen lake", "a lighthouse in a storm", "an old steam train in autumn hills")


@dataclass
class Person:
    """A user: with a browser that is signed in, a program with a token, an address, and runs of long ago."""

    name: str
    password: str
    address: str
    session: str
    token: str
    runs: list[str]
    assets: list[str]
    started: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)  # ETag by path

    def learn(self, asked: "Asked", location: str, etag: str) -> None:
        """Remember a run that was started, and what was seen."""
        if asked.starts and location:
            self.started = [*self.started[1 - REMEMBERED :], location.rstrip("/").rpartition("/")[2]]
        if etag:
            self.seen[asked.path] = etag


@dataclass(frozen=True)
class Asked:
    """One request. `right` are the statuses that answer it; `key` names what it starts, the same key for the same."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    right: tuple[int, ...] = (200,)
    starts: bool = False
    key: str = ""

    def wire(self, place: str) -> bytes:
        """As it goes over the wire to `place` (host:port)."""
        more = (("Content-Length", str(len(self.body))),) if self.body or self.method == "POST" else ()
        head = (("Host", place), ("Connection", "close"), ("User-Agent", "vidgenie-load"), *self.headers, *more)
        lines = "".join(f"{name}: {value}\r\n" for name, value in head)
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


Build = Callable[[Person, Random, str], Asked]  # the text is different for each request


@dataclass(frozen=True)
class Route:
    """A kind of request, and how many of a hundred are of it."""

    name: str
    weight: float
    build: Build
    writes: bool = False


# --- By a browser ------------------------------------------------------------------------------------------


def _browser(person: Person, **more: str) -> tuple[tuple[str, str], ...]:
    cookie = f"session={person.session}; csrf={CSRF}" if person.session else f"csrf={CSRF}"
    named = {"Cookie": cookie, "Accept": "text/html", "Accept-Language": "en"} | more
    return tuple((name.replace("_", "-"), value) for name, value in named.items())


def _page(path: str) -> Build:
    return lambda person, chance, text: Asked("GET", path, _browser(person))


def _form(person: Person, path: str, fields: dict[str, str], right: tuple[int, ...], *, starts: bool = False) -> Asked:
    kind = "application/x-www-form-urlencoded"
    headers = _browser(person, Content_Type=kind, X_CSRFToken=CSRF)
    key = fields.get("key", "") if starts else ""
    return Asked("POST", path, headers, urlencode(fields).encode(), right, starts, key)


def _run(person: Person, chance: Random) -> str:
    """A run to look at: mostly one of today."""
    mine = person.started if person.started and chance.random() < 0.7 else person.runs
    return chance.choice(mine)


def _run_page(person: Person, chance: Random, text: str) -> Asked:
    return Asked("GET", f"/workflows/{_run(person, chance)}/", _browser(person))


def _live(person: Person, chance: Random, text: str) -> Asked:
    path = f"/workflows/{_run(person, chance)}/live/"
    known = {"If_None_Match": person.seen[path]} if path in person.seen else {}
    return Asked("GET", path, _browser(person, HX_Request="true", **known), right=(200, 286, 304))


def _thumbnail(person: Person, chance: Random, text: str) -> Asked:
    return Asked("GET", f"/api/assets/{chance.choice(person.assets)}/thumbnail", _browser(person))


def _box(chance: Random, text: str) -> dict[str, str]:
    named = {name: str(value) for name, value in MODELS.items()}
    return {"type": "complete", "prompt": f"{chance.choice(PROMPTS)} {text}", "enhance": "on", **named}


def _price(person: Person, chance: Random, text: str) -> Asked:
    return _form(person, "/workflows/price/", _box(chance, text), (200,))


def _make(person: Person, chance: Random, text: str) -> Asked:
    return _form(person, "/workflows/create/", _box(chance, text) | {"key": text}, (302,), starts=True)


def _cancel_page(person: Person, chance: Random, text: str) -> Asked:
    return _form(person, f"/workflows/{_run(person, chance)}/cancel/", {}, (302,))


def _as_a_stranger(path: str) -> Build:
    return lambda person, chance, text: Asked("GET", path, (("Accept", "text/html"), ("Accept-Language", "en")))


def _sign_in(person: Person, chance: Random, text: str) -> Asked:
    stranger = Person(person.name, person.password, person.address, "", "", [], [])
    return _form(stranger, "/accounts/login/", {"login": person.name, "password": person.password}, (302,))


# --- By a program ------------------------------------------------------------------------------------------


def _program(person: Person, **more: str) -> tuple[tuple[str, str], ...]:
    named = {"Authorization": f"Bearer {person.token}", "Accept": "application/json"} | more
    return tuple((name.replace("_", "-"), value) for name, value in named.items())


def _answer(path: str) -> Build:
    return lambda person, chance, text: Asked("GET", path, _program(person))


def _status(person: Person, chance: Random, text: str) -> Asked:
    path = f"/api/workflow/status/{_run(person, chance)}"
    known = {"If_None_Match": person.seen[path]} if path in person.seen else {}
    return Asked("GET", path, _program(person, **known), right=(200, 304))


def _execute(person: Person, chance: Random, text: str) -> Asked:
    body = {"type": "complete", "prompt": f"{chance.choice(PROMPTS)} {text}", "options": MODELS}
    headers = _program(person, Content_Type="application/json", Idempotency_Key=text)
    return Asked("POST", "/api/workflow/execute", headers, json.dumps(body).encode(), (202,), starts=True, key=text)


def _cancel(person: Person, chance: Random, text: str) -> Asked:
    return Asked("POST", f"/api/workflow/cancel/{_run(person, chance)}", _program(person))


EXECUTE = "POST /api/workflow/execute"
ROUTES = (
    Route("GET /workflows/create/", 8, _page("/workflows/create/")),
    Route("GET /workflows/", 9, _page("/workflows/")),
    Route("GET /workflows/{id}/", 10, _run_page),
    Route("GET /workflows/{id}/live/", 14, _live),
    Route("POST /workflows/price/", 6, _price),
    Route("GET /credits/", 3, _page("/credits/")),
    Route("GET /api/assets/{id}/thumbnail", 4, _thumbnail),
    Route("GET /", 1, _as_a_stranger("/")),
    Route("GET /accounts/login/", 1.5, _as_a_stranger("/accounts/login/")),
    Route("GET /api/workflow", 6, _answer("/api/workflow")),
    Route("GET /api/workflow/status/{id}", 12, _status),
    Route("GET /api/credits", 3, _answer("/api/credits")),
    Route("GET /api/models", 3, _answer("/api/models")),
    Route(EXECUTE, 9, _execute, writes=True),
    Route("POST /workflows/create/", 4, _make, writes=True),
    Route("POST /api/workflow/cancel/{id}", 4, _cancel, writes=True),
    Route("POST /workflows/{id}/cancel/", 2, _cancel_page, writes=True),
    Route("POST /accounts/login/", 0.5, _sign_in, writes=True),
)
WEIGHTS = [route.weight for route in ROUTES]


def route(name: str) -> Route:
    """The one of this name."""
    return next(one for one in ROUTES if one.name == name)
