"""The doors for machines that watch the site: is it alive, is it well, and its numbers."""

import hmac
import ipaddress
import threading
import time

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from vidgenie import health, metrics

FRESH = 2.0  # seconds for which a look at all parts is good: anybody may ask, and it writes a file


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. It asks nobody, so nothing else can make it fail."""
    request.user = AnonymousUser()  # who has a session's cookie would be looked up for the log
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether work gets done: 200 or 503. Strangers are told no more than that."""
    parts, age = _looked.at()
    ready = health.is_ready(parts)
    document: dict[str, object] = {"status": health.OK if ready else health.FAILED}
    if may_look(request):
        document |= {"age": round(age, 1), "parts": {name: parts[name].document() for name in sorted(parts)}}
    return JsonResponse(document, status=200 if ready else 503)


@never_cache
@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    """All numbers as Prometheus reads them; 503 when the database does not answer."""
    if not may_look(request):
        return _refused()
    try:
        return HttpResponse(generate_latest(metrics.Tables()), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError as error:
        return HttpResponse(f"The database does not answer: {type(error).__name__}\n", "text/plain", status=503)


# --- Who may look ------------------------------------------------------------------------------------------


def may_look(request: HttpRequest) -> bool:
    """Who has the token or comes from an address on the list; in development, this machine where neither is set."""
    if settings.METRICS_TOKEN and _has_token(request):
        return True
    address = _address(request)
    if address is None:
        return False
    if settings.METRICS_ALLOW:
        return any(address in network for network in settings.METRICS_ALLOW)
    return not settings.METRICS_TOKEN and settings.ENVIRONMENT == "development" and address.is_loopback


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())


def _address(request: HttpRequest) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Where the request comes from, as far as it can be known.

    Behind a proxy that nobody told us of (NUM_PROXIES), all the world would seem to come from the proxy's address.
    """
    if not api_settings.NUM_PROXIES and "X-Forwarded-For" in request.headers:
        return None
    try:
        address = ipaddress.ip_address(BaseThrottle().get_ident(request) or "")  # type: ignore[arg-type]
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _refused() -> HttpResponse:
    """Where a token would help, that is said; else there is nothing here."""
    if not settings.METRICS_TOKEN:
        raise Http404
    return HttpResponse("A token is needed.\n", "text/plain", status=401, headers={"WWW-Authenticate": "Bearer"})


class _Looks:
    """The last look at all parts, shared by the threads of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.parts: dict[str, health.Part] = {}
        self.taken = -FRESH

    def at(self) -> tuple[dict[str, health.Part], float]:
        """The parts, looked at anew if need be, and how many seconds ago that was."""
        with self.lock:
            if not self.parts or time.monotonic() - self.taken >= FRESH:
                self.parts, self.taken = health.report(), time.monotonic()
            return self.parts, time.monotonic() - self.taken


_looked = _Looks()
