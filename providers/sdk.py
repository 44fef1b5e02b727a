"""OpenAI's SDK above, our own network below: one exchange, and which of its fields a server can do without.

Whoever speaks OpenAI's language understands a part of it, and the part is different everywhere. What a server refuses
is left out of the next try, and once that has gone well, of all that follow in this process.
"""

import functools
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from providers import http
from providers.base import ProviderError, Reason

if TYPE_CHECKING:
    from openai import OpenAI

Fields = dict[str, Any]

_refused: dict[tuple[str, str], set[str]] = {}  # by address and model


@dataclass
class Exchange:
    """One exchange with the server at `base`; `official` says that it is OpenAI's own, `read` is in seconds."""

    base: str
    official: bool
    purpose: http.Purpose
    read: float
    refusal: Callable[[http.Answer], ProviderError]
    answer: http.Answer | None = None
    token: str = field(default="", repr=False)  # for the length of one call

    @property
    def status(self) -> int:
        """Of the last answer; 0 when there was none."""
        return self.answer.status if self.answer else 0

    def answered(self) -> http.Answer:
        """The last answer; raises ProviderError when there was none."""
        if self.answer is None:
            raise ProviderError(Reason.OTHER, "the SDK answered without asking", sent=False)
        return self.answer

    def ask(self, call: Callable[["OpenAI"], Any], token: str) -> Fields:
        """Make one call; the answer's JSON object. Raises ProviderError."""
        http.require_sendable({"Authorization": token})
        self.answer, self.token = None, token
        former = _asking.set(self)
        try:
            call(_client(self.base))
        finally:
            _asking.reset(former)
            self.token = ""
        return self.answered().document()

    def negotiate(self, call: Callable[["OpenAI", Fields], Any], optional: Fields, token: str) -> Fields:
        """The answer to a call with as many of the optional fields as the server takes; remembers which.

        `call` hands them over as `extra_body`: the SDK's look at each of them would cost more than all else we do.
        Only a refusal of what was written leads to another try, since nothing was made for it.
        """
        known = _refused.get((self.base, self.purpose.model), set())
        refused = set(known)
        while True:
            fields = _accepted(optional, refused)
            try:
                answer = self.ask(lambda client, fields=fields: call(client, fields), token)  # type: ignore[misc]
            except ProviderError as error:
                if error.reason != Reason.INVALID_INPUT or not (more := self._in_the_way(fields)):
                    raise
                refused |= more
            else:
                _refused[self.base, self.purpose.model] = refused
                return answer

    def _in_the_way(self, fields: Fields) -> set[str]:
        """What to leave out after a refusal. OpenAI names the field; of others we try the simpler forms first."""
        if self.answer is None or self.status not in (400, 422):
            return set()
        named = re.split(r"[.\[]", told(self.answer)["param"])[0]
        if named not in fields and self.official:
            return set()
        if named in fields or "response_format" in fields:
            name = named if named in fields else "response_format"
            return {str(fields[name]["type"]) if isinstance(fields[name], dict) else name}
        return set(fields)

    def send(self, request: Any) -> http.Answer:
        """What the SDK wrote, sent our way; raises ProviderError for all that is not 2xx, so that it never reads it."""
        ours = {"host", "content-length", "accept-encoding", "connection", "authorization"}
        headers = {name: value for name, value in request.headers.items() if name not in ours}
        headers["authorization"] = f"Bearer {self.token}"
        self.answer = http.call(
            self.purpose,
            request.method,
            str(request.url),
            origin=self.base,
            headers=headers,
            timeout=(http.CONNECT, self.read),
            deadline=self.read + http.CONNECT,
            data=request.read() or None,
        )
        if not self.answer.ok:
            raise self.refusal(self.answer)
        return self.answer


def told(answer: http.Answer) -> dict[str, str]:
    """`code`, `type`, `param` and `message` as texts; compatible servers may send a text for `error`, or HTML."""
    try:
        found = answer.document().get("error")
    except ProviderError:
        found = None
    said = found if isinstance(found, dict) else {"message": found if isinstance(found, str) else ""}
    return {name: str(said.get(name) or "") for name in ("code", "type", "param", "message")}


def _accepted(optional: Fields, refused: set[str]) -> Fields:
    """The fields less the refused; of a tuple the first form that is not refused."""
    fields = {name: value for name, value in optional.items() if name not in refused}
    for name, forms in [(name, value) for name, value in fields.items() if isinstance(value, tuple)]:
        left = [form for form in forms if form["type"] not in refused]
        fields |= {name: left[0]} if left else {}
        if not left:
            del fields[name]
    return fields


_asking: ContextVar[Exchange] = ContextVar("asking")


@functools.lru_cache(maxsize=8)
def _client(base: str) -> "OpenAI":
    """The SDK for a server. It takes as long to make as a call, and knows neither a key nor a connection."""
    import httpx2  # together they take 1 s to import, which only those shall pay who use them
    import openai

    class Ours(httpx2.BaseTransport):
        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = _asking.get().send(request)
            kind = answer.headers.get("content-type", "application/json")
            return httpx2.Response(answer.status, content=answer.body, headers={"content-type": kind})

    http_client = httpx2.Client(transport=Ours())
    return openai.OpenAI(api_key="given with each call", base_url=base, max_retries=0, http_client=http_client)
