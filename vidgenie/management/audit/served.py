"""What the site really answers: headers, cookies, errors and refusals, through its own middleware."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client
from django.utils import timezone

from vidgenie import tokens
from vidgenie.management.audit.check import Seen, Unknown, check
from vidgenie.management.audit.scratch import person, site, undone, visitor
from vidgenie.models import ApiToken

YEAR = 31_536_000  # seconds
PAGES = ("/", "/accounts/login/", "/accounts/signup/", "/admin/login/", "/api/docs")
OTHERS = ("/api/models", "/api/nothing-here", "/nothing-here", "/healthz", "/readyz", "/hooks/fal/nothing")
CLOSED = {"default-src", "object-src", "base-uri", "frame-ancestors"}  # what nothing may do
OWN = ("/accounts/tokens/", "/accounts/keys/", "/workflows/", "/credits/", "/api/credits")
TELLING = re.compile(r"Traceback|URLconf|DJANGO_SETTINGS|SECRET_KEY|/site-packages/|settings\.py")


def answers(*paths: str) -> Iterator[tuple[str, HttpResponseBase]]:
    """What a stranger gets at each of these."""
    with undone():
        stranger = visitor()
        for path in paths:
            response: Any = stranger.get(path, secure=True)
            b"".join(response)  # a stream is read to its end, so that nothing stays open
            yield path, response


def against_headers(judge: Callable[[HttpResponseBase], str], *paths: str) -> Iterator[str]:
    """What the judge has against each of the answers."""
    for path, response in answers(*paths):
        if complaint := judge(response):
            yield f"{path}: {complaint}"
    yield Seen(f"{len(paths)} answers")


@check("served.pages", "The site answers", "high", "Look into the log; `manage.py collectstatic` is often forgotten.")
def pages() -> Iterator[str]:
    """Every page that strangers may see is asked for: what follows is about these answers."""
    for path, response in answers(*PAGES):
        if response.status_code not in (200, 302):
            yield f"{path} answers {response.status_code}"
    yield Seen(f"{len(PAGES)} pages")


@check("served.csp", "Content-Security-Policy on every answer", "high", "Restore CONTENT_SECURITY_POLICY.")
def content_security_policy() -> Iterator[str]:
    """The header is parsed: nothing by default, scripts from here or with a nonce, no plugins, frames or bases."""
    yield from against_headers(_policy, *PAGES, *OTHERS)


def _policy(response: HttpResponseBase) -> str:
    found = directives(response.get("Content-Security-Policy", ""))
    if not found:
        return "there is none"
    if opened := sorted(name for name in CLOSED if found.get(name) != ["'none'"]):
        return f"{', '.join(opened)} not closed"
    script = found.get("script-src", found["default-src"])
    loose = [word for word in script if word in ("'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:", "data:")]
    return f"scripts may be {', '.join(loose)}" if loose else ""


def directives(policy: str) -> dict[str, list[str]]:
    """A policy's directives with their words."""
    parts = (part.split() for part in policy.split(";"))
    return {name: words for name, *words in filter(None, parts)}


@check("served.hsts", "Browsers are told to stay with https", "high", "Set SECURE_HSTS_SECONDS to a year.")
def strict_transport() -> Iterator[str]:
    """Strict-Transport-Security of answers over https."""
    yield from against_headers(_strictness, *PAGES, *OTHERS)


def _strictness(response: HttpResponseBase) -> str:
    said = re.search(r"max-age=(\d+)", response.get("Strict-Transport-Security", ""))
    return "" if said and int(said[1]) >= YEAR else "no year of Strict-Transport-Security"


@check("served.headers", "Nothing is sniffed, framed or told elsewhere", "medium", "Restore SecurityMiddleware.")
def headers() -> Iterator[str]:
    """X-Content-Type-Options, X-Frame-Options, Referrer-Policy and Cross-Origin-Opener-Policy of every answer."""
    yield from against_headers(_manners, *PAGES, *OTHERS)


def _manners(response: HttpResponseBase) -> str:
    referrer = response.get("Referrer-Policy", "")
    wanted = {
        "X-Content-Type-Options": response.get("X-Content-Type-Options") == "nosniff",
        "X-Frame-Options": response.get("X-Frame-Options") == "DENY",
        "Referrer-Policy": bool(referrer) and referrer not in ("unsafe-url", "no-referrer-when-downgrade"),
        "Cross-Origin-Opener-Policy": response.get("Cross-Origin-Opener-Policy") == "same-origin",
    }
    return ", ".join(name for name, fine in wanted.items() if not fine)


@check("served.https", "Plain http is sent to https", "high", "Set SECURE_SSL_REDIRECT, and BEHIND_TLS_PROXY if so.")
def https() -> Iterator[str]:
    """Pages are asked for without TLS."""
    with undone():
        stranger = Client(raise_request_exception=False, headers={"Host": site()})
        for path in (*PAGES, "/api/models"):
            response = stranger.get(path)
            if response.status_code != 301 or not response.get("Location", "").startswith("https://"):
                yield f"{path} answers {response.status_code}"


@check(
    "served.cookies",
    "Cookies are for https, for the server and for this host alone",
    "high",
    "Restore SESSION_COOKIE_* and CSRF_COOKIE_*: Secure, HttpOnly, SameSite, a name that begins with __Host-.",
)
def cookies() -> Iterator[str]:
    """The cookies that a person gets who signs in."""
    with undone():
        browser = visitor()
        password = secrets.token_hex()
        told = {"login": person(password=password).username, "password": password}
        browser.get("/accounts/login/", secure=True)
        browser.post("/accounts/login/", told, secure=True)
        found = dict(browser.cookies)
        missing = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME} - set(found)
        yield from (f"{name} was not set" for name in missing)
        for name, cookie in found.items():
            if name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
                yield from _of_cookie(name, cookie)


def _of_cookie(name: str, cookie: Any) -> Iterator[str]:
    yield from (f"{name} without {flag}" for flag in ("secure", "httponly") if not cookie[flag])
    if str(cookie["samesite"]).lower() not in ("lax", "strict"):
        yield f"{name} without samesite"
    if not name.startswith("__Host-") or cookie["domain"] or cookie["path"] != "/":
        yield f"{name} is not bound to this host"


@check("served.foreign-hosts", "Other names are refused", "high", "Name the site's hosts in ALLOWED_HOSTS, no others.")
def foreign_hosts() -> Iterator[str]:
    """Requests with somebody else's name in Host, and in headers that only a proxy may set."""
    with undone():
        stranger = visitor()
        for header in ("Host", "X-Forwarded-Host"):
            for name in ("evil.invalid", f"{site()}@evil.invalid", f"{site()}.evil.invalid"):
                response: Any = stranger.get("/accounts/login/", secure=True, headers={header: name})
                if header == "Host" and response.status_code != 400:
                    yield f"{header}: {name} gets {response.status_code}"
                if header != "Host" and b"evil.invalid" in response.content:
                    yield f"{header}: {name} is believed"


@check("served.errors", "Errors tell strangers nothing", "high", "Switch DEBUG off; restore the handlers in urls.py.")
def errors() -> Iterator[str]:
    """Addresses that do not exist, and requests that cannot be read."""
    with undone():
        stranger = visitor()
        broken: dict[str, Any] = {"data": b"{", "content_type": "application/json", "secure": True}
        found: list[Any] = [
            stranger.get(path, secure=True) for path in ("/nothing-here", "/api/nothing", "/admin/x/y/")
        ]
        found += [stranger.post("/api/workflow/execute", **broken), stranger.get("/api/workflow?limit=\0", secure=True)]
        found.append(stranger.get("/", secure=True, headers={"Host": "evil.invalid"}))
    for response in found:
        if response.status_code >= 500:
            yield f"{response.request['PATH_INFO']} answers {response.status_code}"
        if said := TELLING.search(response.content.decode(errors="replace")):
            yield f"{response.request['PATH_INFO']} tells of {said[0]}"


@check("served.cors", "Other sites may not ask in a visitor's name", "high", "Take the CORS middleware away.")
def cross_origin() -> Iterator[str]:
    """Access-Control-Allow-Origin of answers to another origin."""
    with undone():
        stranger = visitor(HTTP_ORIGIN="https://evil.invalid")
        for path in (*PAGES, *OTHERS):
            response = stranger.get(path, secure=True)
            if response.get("Access-Control-Allow-Origin"):
                yield f"{path} allows {response['Access-Control-Allow-Origin']}"


@check("served.forgery", "Forms of other sites are refused", "high", "Restore CsrfViewMiddleware.")
def forgery() -> Iterator[str]:
    """Forms are sent without a token, by somebody who is signed in, to a page and to the API."""
    with undone():
        browser = visitor(enforce_csrf_checks=True)
        browser.force_login(person(), settings.AUTHENTICATION_BACKENDS[0])
        for path in ("/accounts/tokens/", "/workflows/create/", "/accounts/logout/", "/api/workflow/execute"):
            response = browser.post(path, {}, secure=True, headers={"Origin": "https://evil.invalid"})
            if response.status_code != 403:
                yield f"{path} answers {response.status_code}"


@check("served.caching", "What is somebody's own is kept by nobody", "medium", "Restore never_cache on these views.")
def caching() -> Iterator[str]:
    """Cache-Control of pages that show what is one's own."""
    with undone():
        browser = visitor()
        browser.force_login(person(), settings.AUTHENTICATION_BACKENDS[0])
        for path in OWN:
            response = browser.get(path, secure=True)
            said = response.get("Cache-Control", "")
            if response.status_code != 200:
                raise Unknown(f"{path} answers {response.status_code}")
            if not any(word in said for word in ("private", "no-store")) and "Cookie" not in response.get("Vary", ""):
                yield f"{path}: {said or 'no Cache-Control'}"


@check("served.monitoring", "Numbers are for those who may look", "high", "Set METRICS_TOKEN or narrow METRICS_ALLOW.")
def monitoring() -> Iterator[str]:
    """/metrics and the details of /readyz are asked for from an address of the internet, without a token."""
    for path, response in answers("/metrics", "/readyz"):
        body = b"".join(response)
        if (path == "/metrics" and response.status_code == 200) or b'"parts"' in body:
            yield f"{path} tells them to strangers"


@check("served.tokens", "Worthless tokens are refused", "critical", "Restore BearerAuthentication.")
def worthless_tokens() -> Iterator[str]:
    """Somebody's token is used as it is, revoked, expired, changed, and after their account was closed."""
    with undone():
        good, text = tokens.create(person(), "audit")
        if (status := _with_token(text)) != 200:
            raise Unknown(f"a good token gets {status}")
        last = "0" if text[-1] != "0" else "1"
        for what, spoiled in {"changed": text[:-1] + last, "its digest": str(good.pk), "a query": "' OR 1=1"}.items():
            yield from _unless_refused(what, spoiled)
        yield from _when_over(good, text)


def _when_over(token: ApiToken, text: str) -> Iterator[str]:
    """What the token gets when its time is over, when its user's is, and when it is revoked."""
    tokens_of_it, users = ApiToken.objects.filter(pk=token.pk), User.objects.filter(pk=token.user_id)
    tokens_of_it.update(expiry=timezone.now())
    yield from _unless_refused("expired", text)
    tokens_of_it.update(expiry=token.expiry)
    users.update(is_active=False)
    yield from _unless_refused("of a closed account", text)
    users.update(is_active=True)
    tokens.revoke(token)
    yield from _unless_refused("revoked", text)


def _unless_refused(what: str, text: str) -> Iterator[str]:
    if (status := _with_token(text)) != 401:
        yield f"{what}: {status}"


def _with_token(text: str) -> int:
    return visitor(text).get("/api/credits", secure=True).status_code
