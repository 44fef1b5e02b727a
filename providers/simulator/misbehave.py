"""What befalls a request: refusals that the provider words itself, and answers spoiled after it has acted."""

import email.utils
import functools
import gzip
import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from starlette.responses import Response

from .answers import Drops, Flood, Half, Refused, Reset, Silence, as_json, page
from .faults import Struck


class Complaint(Protocol):
    """How a provider words a refusal: one of rate_limited, error_500, unauthorized, out_of_quota, forbidden, retired,
    not_found, no_route and moderation_input."""

    def __call__(self, kind: str, detail: str = "") -> Refused: ...


def before(struck: Struck, complain: Complaint) -> Response | None:
    """The answer of a provider that has not acted; None when the operation itself sees to this fault."""
    name = struck.fault.name
    if name.startswith("rate_limited"):
        refused = complain("rate_limited", struck.detail)
        return told(refused, _RETRY_AFTER[name]())
    if name in ("error_502_html", "error_503_html"):
        return page(int(name[6:9]))
    if name == "reset_before":
        return Reset()
    if name == "redirect":
        return None
    if name in _WORDED:
        return told(complain(name, struck.detail))
    return None


def after(struck: Struck, answer: Response) -> Response:
    """The spoiled answer of a provider that has acted."""
    spoil = _SPOILERS.get(struck.fault.name)
    return spoil(answer, struck.detail) if spoil else answer


def told(refused: Refused, headers: dict[str, str] | None = None) -> Response:
    """A refusal as an answer."""
    return as_json(refused.body, refused.status, refused.headers | (headers or {}))


_WORDED = ("error_500", "unauthorized", "out_of_quota", "forbidden", "retired", "not_found", "moderation_input")
_RETRY_AFTER: dict[str, Callable[[], dict[str, str]]] = {
    "rate_limited": lambda: {"retry-after": "2"},
    "rate_limited_date": lambda: {"retry-after": email.utils.formatdate(time.time() + 2, usegmt=True)},
    "rate_limited_absurd": lambda: {"retry-after": "86400"},
    "rate_limited_negative": lambda: {"retry-after": "-5"},
    "rate_limited_bare": dict,
}


def _instead(content: bytes) -> Callable[[Response, str], Response]:
    return lambda answer, detail: Response(content, media_type="application/json")


def _utf16(answer: Response, detail: str) -> Response:
    text = bytes(answer.body).decode("utf-8", "replace")
    return Response(text.encode("utf-16"), media_type="application/json; charset=utf-8")


def _other_types(answer: Response, detail: str) -> Response:
    try:
        return as_json(_twisted(json.loads(bytes(answer.body))))
    except ValueError:
        return as_json(7)


def _twisted(value: Any) -> Any:
    """The same shape with every value of another type."""
    if isinstance(value, dict):
        return {name: _twisted(one) for name, one in value.items()}
    if isinstance(value, list):
        return {str(n): _twisted(one) for n, one in enumerate(value)}
    return len(value) if isinstance(value, str) else [value]


@functools.cache
def _packed() -> bytes:
    return gzip.compress(b"[" + b" " * 20_000_000, 9) * 10


def _bomb(answer: Response, detail: str) -> Response:
    return Response(_packed(), media_type="application/json", headers={"content-encoding": "gzip"})


_SPOILERS: dict[str, Callable[[Response, str], Response]] = {
    "reset_after": lambda answer, detail: Reset(),
    "error_500_after": lambda answer, detail: Response("Internal Server Error", 500, media_type="text/plain"),
    "error_502_after": lambda answer, detail: page(502),
    "stalls": lambda answer, detail: Silence(float(detail or 3600)),
    "cut_short": lambda answer, detail: Half(answer),
    "slow_body": lambda answer, detail: Drops(answer, float(detail or 2)),
    "malformed_json": _instead(b'{"id": "half an answ'),
    "other_shape": _instead(b'["surprise", 7, null]'),
    "wrong_types": _other_types,
    "deep_nesting": _instead(b"[" * 10_000 + b"]" * 10_000),
    "huge_body": lambda answer, detail: Flood(int(detail or 200)),
    "wrong_charset": _utf16,
    "empty_answer": _instead(b""),
    "gzip_bomb": _bomb,
}
