"""Where providers say that there is news of a job. A message is a nudge: it is verified, and then the job is fetched.

Whoever forges one has to guess the address and the signature, and wins one look at a job.
"""

import hashlib
import re
from collections.abc import Callable
from uuid import UUID

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from providers import gateway, hooks
from providers.base import ProviderError, Reason
from workflows import pipeline

LIMIT = 256 * 1024  # bytes
REMEMBERED = 900  # seconds; longer than a message is valid
_JOB_ID = re.compile(r"[!-~]{1,200}", re.ASCII)  # what fits into the row; a signature does not make sense of nonsense


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str, attempt: UUID) -> HttpResponse:
    """204 for a good message, the first time and every other; 4xx without any effect for a bad one."""
    if not hooks.is_ours(provider, str(attempt), request.GET.get("token", "")):
        return HttpResponse(status=404)
    body = request.read(LIMIT + 1)
    if len(body) > LIMIT:
        return HttpResponse(status=413)
    try:
        job_id = gateway.webhook_job_id(provider, request.headers, body)
    except ProviderError as error:  # when it can't be verified now, the provider shall come again
        return HttpResponse(status=401 if error.reason == Reason.UNAUTHORIZED else 503)
    if not _JOB_ID.fullmatch(job_id):
        return HttpResponse(status=400)
    _hear_once(request.path, body, lambda: pipeline.heard(attempt, provider, job_id))
    return HttpResponse(status=204)


def _hear_once(path: str, body: bytes, hear: Callable[[], None]) -> None:
    """Act on a message unless this very one was here before: played again and again it would disturb every fetch."""
    key = f"hook:{hashlib.sha256(path.encode() + body).hexdigest()}"
    if not cache.add(key, 1, REMEMBERED):
        return
    try:
        hear()
    except Exception:
        cache.delete(key)
        raise
