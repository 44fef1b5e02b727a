"""Which misbehavior a request or a job meets: by script, by a tag in its prompt, or at random with a seed.

A tag is `#sim:NAME`, `#sim:NAME=DETAIL`, `#sim:NAME@fal.submit` (where) or `#sim:NAME*3` (how often; by default once
for what befalls a request, always for what befalls a job). A script is a list of lines {"fault", "operation", "times",
"detail", "skip"}, read from the top.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

_TAG = re.compile(rb"#sim:([a-z0-9_]+)(?:=(\w+(?:[.\-]\w+)*))?(?:@(\w+(?:\.\w+)?))?(?:\*(\d+))?")


class Stage(StrEnum):
    """When a fault strikes."""

    BEFORE = "before"  # the request is not acted upon
    AFTER = "after"  # the request was acted upon, its answer is spoiled
    JOB = "job"  # decided when a job is accepted
    FILE = "file"  # decided with the job, strikes the download of what it made
    HOOK = "hook"  # decided with the job, strikes its webhook


@dataclass(frozen=True)
class Fault:
    """One way to misbehave. `only` names the operations it can befall; `drawn` whether a rate for `all` includes it."""

    name: str
    stage: Stage
    meaning: str
    only: tuple[str, ...] = ("*",)
    drawn: bool = True


_S = Stage
_SUBMITS = ("*.submit", "openai.images", "openai.chat")
_PAID = ("*.submit", "openai.images")
_MEDIA = ("*.submit",)

FAULTS = {
    fault.name: fault
    for fault in (
        Fault("rate_limited", _S.BEFORE, "429, Retry-After: 2 (Google: RetryInfo)"),
        Fault("rate_limited_date", _S.BEFORE, "429, Retry-After as an HTTP date in 2 s"),
        Fault("rate_limited_absurd", _S.BEFORE, "429, Retry-After: 86400"),
        Fault("rate_limited_negative", _S.BEFORE, "429, Retry-After: -5"),
        Fault("rate_limited_bare", _S.BEFORE, "429 without Retry-After"),
        Fault("error_500", _S.BEFORE, "500 with the provider's own error body, nothing accepted"),
        Fault("error_502_html", _S.BEFORE, "502 with a page of HTML, nothing accepted"),
        Fault("error_503_html", _S.BEFORE, "503 with a page of HTML, nothing accepted"),
        Fault("reset_before", _S.BEFORE, "the connection is reset, nothing accepted"),
        Fault("unauthorized", _S.BEFORE, "the key is refused", drawn=False),
        Fault("out_of_quota", _S.BEFORE, "the account has no money", _SUBMITS, drawn=False),
        Fault("forbidden", _S.BEFORE, "403: the account may not", drawn=False),
        Fault("retired", _S.BEFORE, "the model is gone", _SUBMITS, drawn=False),
        Fault("not_found", _S.BEFORE, "404 for a job that exists", ("*.status", "*.result", "*.get", "*.fetch")),
        Fault("redirect", _S.BEFORE, "307 to another host, where the headers are noted", drawn=False),
        Fault("moderation_input", _S.BEFORE, "the prompt is declined at once", _PAID),
        Fault("reset_after", _S.AFTER, "acted upon, then the connection is reset without an answer"),
        Fault("error_500_after", _S.AFTER, "acted upon, then an unlabelled 500"),
        Fault("error_502_after", _S.AFTER, "acted upon, then 502 with a page of HTML"),
        Fault("stalls", _S.AFTER, "acted upon, then silence (detail: seconds, 3600)", drawn=False),
        Fault("cut_short", _S.AFTER, "the answer breaks off in the middle of its JSON"),
        Fault("slow_body", _S.AFTER, "the answer comes in drops (detail: seconds in all, 2)"),
        Fault("malformed_json", _S.AFTER, "200 with something that is no JSON"),
        Fault("other_shape", _S.AFTER, "200 with JSON of another shape"),
        Fault("wrong_types", _S.AFTER, "200 with the right names and values of other types"),
        Fault("deep_nesting", _S.AFTER, "200 with JSON nested 10,000 deep"),
        Fault("huge_body", _S.AFTER, "200 with very long JSON (detail: megabytes, 200)", drawn=False),
        Fault("wrong_charset", _S.AFTER, "200 with JSON in UTF-16 that says it is UTF-8"),
        Fault("empty_answer", _S.AFTER, "200 with nothing"),
        Fault("gzip_bomb", _S.AFTER, "200 with a few bytes that unpack to 200 MB", drawn=False),
        Fault("refusal", _S.BEFORE, "chat: the model refuses, with content null", ("openai.chat",)),
        Fault("truncated_answer", _S.BEFORE, "chat: finish_reason length", ("openai.chat",)),
        Fault("early_422", _S.BEFORE, "fal: input is checked at submit already", ("fal.submit",), drawn=False),
        Fault("odd_status", _S.JOB, "the first two looks meet a status nobody knows", _MEDIA),
        Fault("goes_backwards", _S.JOB, "running, then queued again, then the truth", _MEDIA),
        Fault("throttled", _S.JOB, "Runway: THROTTLED before PENDING (others: queued)", _MEDIA),
        Fault("late_to_appear", _S.JOB, "404 at the first look", _MEDIA),
        Fault("slow", _S.JOB, "takes ten times as long", _MEDIA),
        Fault("stays_queued", _S.JOB, "never starts", _MEDIA, drawn=False),
        Fault("never_ends", _S.JOB, "never ends", _MEDIA, drawn=False),
        Fault("ignores_cancel", _S.JOB, "a cancel is answered well and changes nothing", _MEDIA),
        Fault("fails", _S.JOB, "fails (detail: the provider's own code)", _MEDIA),
        Fault("moderation_output", _S.JOB, "what was made is declined (detail: the form)", _PAID),
        Fault("done_without_video", _S.JOB, "done, with nothing in it", _MEDIA),
        Fault("two_outputs", _S.JOB, "done, with two files", _MEDIA),
        Fault("by_address", _S.JOB, "Google: the result is an address, not bytes", _MEDIA),
        Fault("expired_url", _S.FILE, "the first address is refused with 403; looking again gives a good one", _MEDIA),
        Fault("dead_url", _S.FILE, "every address is gone (410)", _MEDIA),
        Fault("cross_host", _S.FILE, "the address redirects to another host, where the headers are noted", _MEDIA),
        Fault("endless_redirect", _S.FILE, "the address redirects to itself", _MEDIA),
        Fault("inward_redirect", _S.FILE, "the address redirects to 169.254.169.254", _MEDIA),
        Fault("truncated_length", _S.FILE, "half the bytes that Content-Length says, each time", _MEDIA),
        Fault("truncated_once", _S.FILE, "the same, at the first download only", _MEDIA),
        Fault("truncated_chunked", _S.FILE, "half the bytes in chunks, then the connection closes", _MEDIA),
        Fault("truncated_quiet", _S.FILE, "half the bytes in chunks that end as they should", _MEDIA),
        Fault("html_as_mp4", _S.FILE, "a page of HTML that says it is a video", _MEDIA),
        Fault("wrong_content_type", _S.FILE, "the right file as text/plain", _MEDIA),
        Fault("empty_file", _S.FILE, "0 bytes", _MEDIA),
        Fault("broken_film", _S.FILE, "an MP4 that does not decode", _MEDIA),
        Fault("wrong_length", _S.FILE, "a film of 1 s, whatever was asked", _MEDIA),
        Fault("slow_file", _S.FILE, "the file comes in drops (detail: seconds in all, 2)", _MEDIA),
        Fault("file_502", _S.FILE, "502 with a page of HTML at the first download", _MEDIA),
        Fault("webhook_missing", _S.HOOK, "no webhook", ("fal.submit",)),
        Fault("webhook_twice", _S.HOOK, "the same webhook twice", ("fal.submit",)),
        Fault("webhook_early", _S.HOOK, "a webhook before the job is done", ("fal.submit",)),
        Fault("webhook_forged", _S.HOOK, "one with a signature of nobody's, beside the good one", ("fal.submit",)),
        Fault("webhook_stale", _S.HOOK, "one signed ten minutes ago, beside the good one", ("fal.submit",)),
        Fault("webhook_late", _S.HOOK, "the webhook comes 30 s after the end", ("fal.submit",)),
        Fault(
            "webhook_other", _S.HOOK, "one more, which names another request and ours as the gateway's", ("fal.submit",)
        ),
    )
}
_ON_REQUESTS = (Stage.BEFORE, Stage.AFTER)


@dataclass(frozen=True)
class Tag:
    """A wish of one prompt."""

    fault: str
    detail: str = ""
    operation: str = "*"
    times: int | None = None


@dataclass
class Line:
    """A line of the script; `times` counts down, `skip` first."""

    fault: str
    operation: str = "*"
    times: int = 1
    detail: str = ""
    skip: int = 0


@dataclass(frozen=True)
class Struck:
    """A fault that was drawn, with its detail."""

    fault: Fault
    detail: str = ""


def tags_in(body: bytes) -> tuple[Tag, ...]:
    """The wishes in a request's body; unknown names are ignored, a prompt may say anything."""
    if b"#sim:" not in body:
        return ()
    found = dict.fromkeys(tuple((part or b"").decode() for part in match) for match in _TAG.findall(body))
    return tuple(
        Tag(name, detail, where or "*", int(times) if times else None)
        for name, detail, where, times in found
        if name in FAULTS
    )


class Faults:
    """The drawing of faults."""

    def __init__(self, rates: Mapping[str, float] | None = None, seed: int = 0) -> None:
        self.reset(rates, seed)

    def reset(self, rates: Mapping[str, float] | None = None, seed: int = 0, script: Iterable[Any] = ()) -> None:
        """Begin anew; raises ValueError for names and numbers that make no sense."""
        self.rates, self.seed = expanded(rates or {}), seed
        self.script = [_line(one) for one in script]
        self.struck: Counter[str] = Counter()
        self._random = random.Random(seed)  # noqa: S311
        self._by_tag: Counter[tuple[Any, ...]] = Counter()

    def on_request(self, operation: str, tags: Iterable[Tag] = (), whose: object = None) -> Struck | None:
        """The one fault that this request meets. `whose` tells requests of one prompt or job from another's."""
        found = self._scripted(operation, _ON_REQUESTS) or self._tagged(operation, tags, whose)
        if found is None and (hits := self._rolled(operation, _ON_REQUESTS)):
            found = Struck(FAULTS[self._random.choice(hits)])
        if found:
            self.struck[found.fault.name] += 1
        return found

    def on_job(self, operation: str, tags: Iterable[Tag] = ()) -> dict[str, str]:
        """All faults that befall the job that was just accepted, with their details."""
        stages = (Stage.JOB, Stage.FILE, Stage.HOOK)
        found = dict.fromkeys(self._rolled(operation, stages), "")
        for tag in tags:
            if FAULTS[tag.fault].stage in stages and _fits(tag.fault, tag.operation, operation):
                found[tag.fault] = tag.detail
        while line := self._scripted(operation, stages, unless=found):
            found[line.fault.name] = line.detail
        self.struck.update(found.keys())
        return found

    def _scripted(self, operation: str, stages: tuple[Stage, ...], unless: Iterable[str] = ()) -> Struck | None:
        for line in self.script:
            fits = FAULTS[line.fault].stage in stages and _fits(line.fault, line.operation, operation)
            if not fits or line.times <= 0 or line.fault in unless:
                continue
            if line.skip > 0:
                line.skip -= 1
                continue
            line.times -= 1
            return Struck(FAULTS[line.fault], line.detail)
        return None

    def _tagged(self, operation: str, tags: Iterable[Tag], whose: object) -> Struck | None:
        for tag in tags:
            place = (tag, operation, whose)
            fits = FAULTS[tag.fault].stage in _ON_REQUESTS and _fits(tag.fault, tag.operation, operation)
            if fits and self._by_tag[place] < (tag.times or 1):
                self._by_tag[place] += 1
                return Struck(FAULTS[tag.fault], tag.detail)
        return None

    def _rolled(self, operation: str, stages: tuple[Stage, ...]) -> list[str]:
        found = ((*name.partition("@"), rate) for name, rate in self.rates.items())
        return [
            name
            for name, _, where, rate in found
            if FAULTS[name].stage in stages and _fits(name, where or "*", operation) and self._random.random() < rate
        ]


def expanded(rates: Mapping[str, Any]) -> dict[str, float]:
    """Rates by NAME or NAME@fal.submit; `all`, or a stage, stands for whatever may be drawn of it.

    Raises ValueError for what makes no sense.
    """
    found: dict[str, float] = {}
    for wish, rate in rates.items():
        name, at, where = wish.partition("@")
        if not 0 <= float(rate) <= 1:
            raise ValueError(f"the rate of {name} is {rate!r}; it must be from 0 to 1")
        found |= {f"{one}{at}{where}": float(rate) for one in _named(name)}
    return found


def _named(name: str) -> list[str]:
    if name == "all" or name in set(Stage):
        return [fault.name for fault in FAULTS.values() if fault.drawn and name in ("all", fault.stage)]
    if name not in FAULTS:
        raise ValueError(f"there is no fault {name!r}; there are: {', '.join(FAULTS)}")
    return [name]


def _line(one: Any) -> Line:
    try:
        line = Line(**one)
    except TypeError as error:
        raise ValueError(f"{one!r} is no line of a script") from error
    if line.fault not in FAULTS:
        raise ValueError(f"there is no fault {line.fault!r}")
    return line


def _fits(fault: str, wish: str, operation: str) -> bool:
    """Whether the fault can befall the operation, and the wish (a pattern, or a provider's name) means it."""
    meant = fnmatchcase(operation, wish) or operation.startswith(f"{wish}.")
    return meant and any(fnmatchcase(operation, pattern) for pattern in FAULTS[fault].only)
