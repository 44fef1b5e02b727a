"""What all of the API has in common: who asks, the one shape of an error, pages of a list.

Errors are RFC 9457 problems with a stable `code`. Operations raise their own exceptions; the table here says what
each of them is to a program, so that no door has to.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as BadValue
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import resolve
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from knox.auth import TokenAuthentication
from rest_framework import exceptions, parsers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from credits.ledger import InsufficientCredits
from vidgenie import tokens
from workflows.content import RangeNotSatisfiable
from workflows.deletion import StillNeeded, StillRunning
from workflows.limits import TooMany
from workflows.pipeline import KeyReused, ModelGone, NotRetryable
from workflows.prompts import InvalidInput
from workflows.uploads import NoRoom, TooLarge

PROBLEM = "application/problem+json"


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer vg_…`. Knox takes the header apart, one query finds token and user."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        """The user and the token; raises AuthenticationFailed, for every cause in the same words."""
        found = tokens.find(token.decode("ascii", "replace"))
        if found is None:
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."), "invalid_token")
        tokens.note_use(found)
        return found.user, found


class AlwaysJson(BaseContentNegotiation):
    """There is one form of each answer, so nobody is sent away for what they accept."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The parser for what was sent, if there is one."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """The only renderer there is."""
        return renderers[0], renderers[0].media_type


class JsonParser(parsers.JSONParser):
    """JSON that is nested too deep for Python is the sender's mistake, not ours."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """What was sent; raises ParseError."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError from error


class Pages(CursorPagination):
    """Newest first, `limit` at a time; a cursor stays right while new rows arrive."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering = ("-created", "-pk")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """One page; raises InvalidInput for a cursor that isn't ours."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (exceptions.NotFound, BadValue, ValueError) as error:
            raise InvalidInput({"cursor": _("This cursor is not one that was given out.")}) from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A page as OpenAPI 3.1 writes it; REST framework's own is written for 3.0."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}


# --- Errors ------------------------------------------------------------------------------------------------


class Problem(exceptions.APIException):
    """A refusal with its stable code, a sentence for each wrong field, and what else a program may want to know."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
        *,
        wait: int | None = None,
    ) -> None:
        super().__init__(detail, code)
        self.status_code, self.code, self.errors, self.more = status, code, dict(errors or {}), dict(more or {})
        self.wait = wait  # seconds; REST framework makes Retry-After of it


def problem(cause: Exception, context: Any) -> Response | None:
    """REST framework's exception handler: the answer to an error, None for one that nobody foresaw."""
    from rest_framework.views import exception_handler  # it imports this module while it loads

    error = _translate(cause)
    response = exception_handler(error, context)
    if response is None or not isinstance(error, exceptions.APIException):
        return None
    response.data = _describe(error)
    response.content_type = PROBLEM
    if isinstance(cause, RangeNotSatisfiable):
        response["Content-Range"] = f"bytes */{cause.size}"
    return response


_REFUSALS: dict[type[Exception], tuple[int, str, Any]] = {
    exceptions.ParseError: (400, "parse_error", lazy("The body is not what it says it is, and cannot be read.")),
    NotRetryable: (409, "not_retryable", lazy("Only a run that failed or was canceled can be tried again.")),
    StillRunning: (409, "still_running", lazy("Cancel the run first.")),
    RequestDataTooBig: (413, "too_large", lazy("The request is too large.")),
    RangeNotSatisfiable: (416, "range_not_satisfiable", lazy("The file has no such part.")),
    KeyReused: (422, "idempotency_key_reused", lazy("This key was used before, for another request.")),
    SuspiciousOperation: (400, "invalid_input", lazy("The request could not be read.")),
}


def _translate(error: Exception) -> Exception:
    """What an operation's refusal is to a program."""
    match error:
        case InvalidInput():
            return _invalid(error)
        case InsufficientCredits():
            more = {"needed": error.needed, "available": error.available, "held": error.held}
            return Problem(402, "insufficient_credits", str(error), more=more)
        case ModelGone() | StillNeeded():
            return Problem(409, "model_gone" if isinstance(error, ModelGone) else "still_needed", str(error))
        case TooMany():
            return Problem(429, error.code, str(error), more={"limit": error.limit}, wait=error.retry_after)
    for refusal, (status, code, text) in _REFUSALS.items():
        if isinstance(error, refusal):
            errors = {"Idempotency-Key": str(text)} if refusal is KeyReused else None
            return Problem(status, code, str(text), errors)
    return error


def _invalid(error: InvalidInput) -> Problem:
    sentence = _sentence(error.errors)
    match error:
        case NoRoom():
            return Problem(413, "no_room", sentence, error.errors, {"limit": error.limit})
        case TooLarge():
            return Problem(413, "too_large", sentence, error.errors)
    return Problem(400, "invalid_input", sentence, error.errors)


def _describe(error: exceptions.APIException) -> dict[str, Any]:
    errors = error.errors if isinstance(error, Problem) else _field_errors(error.detail)
    detail = _sentence(errors) if errors else str(error.detail)
    code = getattr(error, "code", None) or getattr(error.detail, "code", None) or error.default_code
    more = error.more if isinstance(error, Problem) else {}
    return problem_document(error.status_code, code, detail, errors, **more)


def _field_errors(detail: Any) -> dict[str, str]:
    return {field: str(text) for field, text in detail.items()} if isinstance(detail, Mapping) else {}


def _sentence(errors: Mapping[str, str]) -> str:
    return " ".join(errors.values())


def problem_document(
    status: int, code: str, detail: str, errors: Mapping[str, str] | None = None, **more: object
) -> dict[str, Any]:
    """The one shape of an error."""
    document: dict[str, Any] = {
        "type": f"urn:vidgenie:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    if errors:
        document["errors"] = {_printable(field): text for field, text in errors.items()}
    if request_id := structlog.contextvars.get_contextvars().get("request_id"):
        document["request_id"] = request_id
    return document


def _printable(name: str) -> str:
    """A field's name as it was sent, without the half characters that JSON can hold and UTF-8 cannot."""
    return name.encode("utf-8", "backslashreplace").decode()


def _answer(status: int, code: str, detail: str) -> HttpResponse:
    return JsonResponse(problem_document(status, code, detail), status=status, content_type=PROBLEM)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler400, for all of the site."""
    if _is_api(request):
        return _answer(400, "invalid_input", _("The request could not be read."))
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler403, for all of the site."""
    if _is_api(request):
        return _answer(403, "permission_denied", _("You may not do this."))
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """handler404, for all of the site."""
    if _is_api(request):
        return _answer(404, "not_found", _("There is nothing here."))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """handler500, for all of the site: what went wrong is in the log, under the request's id."""
    if _is_api(request):
        return _answer(500, "internal", _("Something went wrong on our side. It has been noted."))
    return defaults.server_error(request)


@csrf_exempt
def elsewhere(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Any other address under /api/: one with a slash too many is understood, all else is a problem."""
    if rest.endswith("/"):
        match = resolve(request.path_info.rstrip("/"))
        if match.url_name != "elsewhere":
            answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
            return answer
    return _answer(404, "not_found", _("There is nothing here."))
