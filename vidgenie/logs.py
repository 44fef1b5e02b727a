"""What becomes of a line of the log before it is written: no secret is in it, and an exception is part of it.

Nothing here should find anything: what is logged holds no keys. It is for what libraries say, and for our mistakes.
"""

import re
from collections.abc import Mapping
from typing import Any

import structlog

HIDDEN = "[hidden]"
# Tokens and keys as we and our providers write them, secrets in addresses, headers that open something.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|key)[-_][\w*.-]{6,}|\bvg_[\w-]{8,}|\bAIza[\w-]{10,}|\bya29\.\S+|\beyJ[\w.-]{20,}"
    r"|\b(?:bearer|basic)\s+[\w.~+/=:-]{6,}|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(\w+://[^\s?'\"]+)\?[^\s'\"]+")
_NAMES = re.compile(r"authorization|cookie|token|secret|password|api_?key|sealed|signature|dsn", re.IGNORECASE)


def hidden(value: Any) -> Any:
    """The value without what may open something, however deep in it; the queries of addresses go too."""
    if isinstance(value, str):
        return _QUERY.sub(rf"\1?{HIDDEN}", _SECRET.sub(HIDDEN, value))
    if isinstance(value, Mapping):
        return {name: HIDDEN if _NAMES.search(str(name)) else hidden(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(inner) for inner in value]
    return value


def hide_secrets(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """As one of structlog's processors."""
    found: structlog.typing.EventDict = hidden(line)
    return found


def write(*, as_json: bool) -> list[structlog.typing.Processor]:
    """The last processors of every line: JSON for machines, else lines for people."""
    end: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=False)
    if as_json:
        end = structlog.processors.JSONRenderer()
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        hide_secrets,
        end,
    ]
