"""Every address of the site against every kind of caller: who gets what is written in vidgenie/access.toml, once, for
this audit and for the tests.

What costs or changes something is asked only in the name of those who must be refused, and all of it is taken back.
"""

import datetime
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from providers.models import ProviderKey
from vidgenie import tokens
from vidgenie.management.audit.check import Seen, check
from vidgenie.management.audit.scratch import person, undone, visitor
from vidgenie.models import ApiToken, Scope
from workflows.models import Asset, Step, Workflow

FILE = Path(settings.BASE_DIR) / "vidgenie" / "access.toml"
HARMLESS = ("get",)


@dataclass(frozen=True)
class Route:
    """One address as urls.py writes it, the method that it is asked with, and the status that each caller gets.

    `scope` is what a token needs for it, "" for nothing.
    """

    path: str
    method: str
    gets: dict[str, int]
    scope: str = ""


@cache
def matrix() -> dict[str, Route]:
    """What access.toml says, by path."""
    with open(FILE, "rb") as file:
        table = tomllib.load(file)
    found = [_of_api(path, line, table["api"]["callers"]) for path, line in table["api"]["routes"].items()]
    for group in table["pages"]["groups"]:
        gets = dict(zip(table["pages"]["callers"], group["gets"], strict=True))
        found += [Route(path, group["method"], gets) for path in group["routes"]]
    return {route.path: route for route in found}


def _of_api(path: str, line: list[Any], callers: list[str]) -> Route:
    method, scope, *statuses = line
    gets = dict(zip(callers, statuses, strict=True)) | ({"unscoped": 403} if scope else {})
    return Route(path, method, gets, scope)


def addresses() -> list[str]:
    """Every address that the site answers to, as urls.py writes it."""
    return list(_under(get_resolver(), ""))


def _under(resolver: URLResolver, before: str) -> Iterator[str]:
    for pattern in resolver.url_patterns:
        place = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield place
        else:
            yield from _under(pattern, place)


@check(
    "access.listed",
    "Every address is in the table of who gets what",
    "high",
    "Add it to vidgenie/access.toml, with what each caller shall get, and see the tests pass.",
)
def listed() -> Iterator[str]:
    """All addresses that Django resolves are compared with vidgenie/access.toml."""
    there = addresses()
    yield from (f"{path} is not in the table" for path in there if path not in matrix())
    yield from (f"{path} is in the table, and nowhere else" for path in matrix() if path not in there)
    yield Seen(f"{len(there)} addresses")


@check(
    "access.callers",
    "Nobody gets what is not theirs",
    "critical",
    "Look at the view: login_required, permission_classes, and a query that asks for the owner.",
)
def callers() -> Iterator[str]:
    """Strangers, others, staff without rights and worthless tokens ask for everything that one person owns; the owner
    asks for what can be looked at, so that it is known to exist."""
    asked = 0
    with undone():
        scene = Scene()
        for route in matrix().values():
            for caller, status in route.gets.items():
                if not status or (caller in scene.owners and not scene.is_harmless(route)):
                    continue
                asked += 1
                if (found := scene.ask(caller, route)) != status:
                    yield f"{route.method.upper()} {route.path} by {caller}: {found} instead of {status}"
    yield Seen(f"{asked} requests")


class Scene:
    """A person with things of their own, and everybody who may ask for them. Only inside `undone`."""

    owners = ("owner", "session")

    def __init__(self) -> None:
        self.owner = person()
        self.image = _image(self.owner)
        self.workflow = _workflow(self.owner, self.image)
        self.key = ProviderKey.objects.create(provider="fal", owner=self.owner, active=False)
        self.token, text = tokens.create(self.owner, "audit")
        self.clients = {"anonymous": visitor(), "token": visitor(text)}
        self.programs = {"anonymous": visitor(), "owner": visitor(text), **_programs(self.owner)}
        for name, user in (("owner", self.owner), ("other", person()), ("staff", person(staff=True))):
            self.clients[name] = _browser(user)
        self.programs["session"] = self.clients["owner"]
        self.unscoped = {scope: _program_without(self.owner, scope) for scope in Scope.values}

    def is_harmless(self, route: Route) -> bool:
        """Whether the owner may ask without anything happening, and without a file that there isn't."""
        return route.method in HARMLESS and not route.path.endswith(("/content", "/thumbnail"))

    def ask(self, caller: str, route: Route) -> int:
        """The status that a caller gets."""
        clients = self.programs if route.path.startswith("api/") else self.clients
        client = self.unscoped[route.scope] if caller == "unscoped" else clients[caller]
        response: Any = self._asked(client, route)
        b"".join(response)
        return int(response.status_code)

    def _asked(self, client: Client, route: Route) -> Any:
        path = "/" + self.filled(route.path)
        ids = {"workflow_id": str(self.workflow.pk)}
        if route.method == "get":
            return client.get(path, ids if path.endswith("workflow/status") else {}, secure=True)
        body = ids if path.endswith("workflow/cancel") else {}
        if path.endswith("workflow/execute"):
            body = {"type": "video-from-image", "prompt": "a fox", "image": str(self.image.pk)}
        return getattr(client, route.method)(path, body, content_type="application/json", secure=True)

    def filled(self, path: str) -> str:
        """The address with the ids of what the owner has."""
        of_keys = "accounts/keys" in path
        known = {
            "uuid:workflow_id": self.workflow.pk,
            "uuid:asset_id": self.image.pk,
            "uuid:pk": self.key.pk if of_keys else self.workflow.pk,
            "str:pk": self.token.pk,
            "path:rest": "nothing-here",
            "slug:provider": "fal",
            "uuid:attempt": uuid4(),
            "path:object_id": 0,
            "path:content_type_id": 1,
            "id": self.owner.pk,
        }
        for name, value in known.items():
            path = path.replace(f"<{name}>", str(value))
        return _without_expressions(path)


def _without_expressions(path: str) -> str:
    """What a regular expression of urls.py matches."""
    path = path.replace("(?P<url>.*)", "nothing-here/").replace("(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)", "1-x")
    path = re.sub(r"\(\?P<app_label>(\w+)[|\w]*\)", r"\1", path).replace(r"(?P<key>[-:\w]+)", "x")
    return path.replace("^", "").replace("$", "")


def _browser(user: Any) -> Client:
    client = visitor()
    client.force_login(user, settings.AUTHENTICATION_BACKENDS[0])
    return client


def _programs(owner: Any) -> dict[str, Client]:
    """Tokens of others, and tokens that were the owner's once."""
    texts = {name: tokens.create(owner, name) for name in ("expired", "revoked")}
    ApiToken.objects.filter(pk=texts["expired"][0].pk).update(expiry=timezone.now() - datetime.timedelta(seconds=1))
    tokens.revoke(texts["revoked"][0])
    others = {"other": person(), "staff": person(staff=True), "inactive": person(active=False)}
    texts |= {name: tokens.create(user, name) for name, user in others.items()}
    return {name: visitor(text) for name, (_, text) in texts.items()}


def _program_without(owner: Any, scope: str) -> Client:
    """A token of the owner's that may do all but this."""
    return visitor(tokens.create(owner, "audit", scopes=set(Scope.values) - {scope})[1])


def _image(owner: Any) -> Asset:
    """A row without a file: nothing is written to the storage."""
    measures = {"size": 1, "sha256": "0" * 64, "width": 64, "height": 64}
    return Asset.objects.create(
        user=owner, kind=Asset.Kind.IMAGE, uploaded=True, file="audit/none", content_type="image/png", **measures
    )


def _workflow(owner: Any, image: Asset) -> Workflow:
    """One that is over, so that nobody would ever take it up."""
    now = timezone.now()
    over = {"status": "failed", "reason": "other", "finished": now}
    found = Workflow.objects.create(
        user=owner, type="image-only", prompt="a fox", image=image, quoted=1, deadline=now, **over
    )
    Step.objects.create(
        workflow=found, stage="image", position=0, provider="sandbox", model="sandbox/still", price=1, **over
    )
    return found
