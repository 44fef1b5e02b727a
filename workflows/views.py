"""Pages of the product: create, watch, gallery. Each parses, calls one operation and renders."""

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from credits import ledger, views
from credits.ledger import InsufficientCredits
from workflows import deletion, pipeline, uploads
from workflows.document import made_by, owned, status_document
from workflows.forms import MODELS, MakeForm
from workflows.limits import TooMany
from workflows.models import Workflow
from workflows.states import UNFINISHED, Status
from workflows.strip import Strip

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

PAGE = 12  # runs on one page of the gallery
PICTURES = 48  # on one page of those one has uploaded
EXAMPLES = (
    gettext_lazy("A fox crossing a frozen lake at dawn"),
    gettext_lazy("A lighthouse in a storm, waves against the rocks"),
    gettext_lazy("An old steam train in autumn hills, late light"),
)
STATUSES = (
    ("unfinished", gettext_lazy("in the making")),
    (Status.SUCCEEDED, gettext_lazy("made")),
    (Status.FAILED, gettext_lazy("failed")),
    (Status.CANCELED, gettext_lazy("canceled")),
)


class Visit(views.Visit):
    """A request by somebody who has signed in, perhaps from a script."""

    htmx: "HtmxDetails"


# --- Create ------------------------------------------------------------------------------------------------


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def create(request: Visit) -> HttpResponse:
    """The box, and what comes of pressing its button."""
    if request.method == "GET":
        return _box(request, MakeForm(request.user, initial=_prefill(request)))
    form = MakeForm(request.user, request.POST, request.FILES)
    if "preview" in request.POST or not form.is_valid():
        return _box(request, form, status=200 if "preview" in request.POST else 422)
    if form.price > _price_shown(request, form):
        messages.warning(request, _("The price has changed with your choice. Look at it, then press again."))
        return _box(request, form)
    try:
        workflow = form.start()
    except InsufficientCredits as short:
        return _box(request, form, short=short, status=402)
    except TooMany as refusal:
        return _too_many(request, form, refusal)
    return redirect(workflow) if workflow else _box(request, form, status=422)


@login_required
@require_POST
def price(request: Visit) -> HttpResponse:
    """The button with its price, for the choices as they stand."""
    form = MakeForm(request.user, request.POST, pricing=True)
    trigger = request.headers.get("HX-Trigger-Name", "")
    reshaped = trigger in (*MODELS, "type")
    if reshaped:
        form.fit()
    form.is_valid()
    return render(request, "workflows/_price.html", _priced(request, form) | {"reshaped": reshaped})


def _box(
    request: Visit, form: MakeForm, *, short: InsufficientCredits | None = None, status: int = 200
) -> HttpResponse:
    context = _priced(request, form) | {"short": short, "examples": EXAMPLES}
    return render(request, "workflows/create.html", context, status=status)


def _too_many(request: Visit, form: MakeForm, refusal: TooMany) -> HttpResponse:
    form.add_error(None, str(refusal))
    response = _box(request, form, status=429)
    response["Retry-After"] = str(refusal.retry_after)
    return response


def _priced(request: Visit, form: MakeForm) -> dict[str, Any]:
    """The form with its price and what would be left; the price alone needs no prompt and no image."""
    quote = form.quote or form.price_alone()
    account = ledger.balance(request.user)
    left = account.available - quote.credits if quote else None
    return {"form": form, "quote": quote, "purse": account, "left": left, "missing": -left if left else 0}


def _price_shown(request: Visit, form: MakeForm) -> int:
    """What the button said when it was pressed."""
    try:
        return int(request.POST["price"])
    except (KeyError, ValueError):
        return form.price


def _prefill(request: Visit) -> dict[str, Any]:
    """What the box holds at first: a run to make again, one of their images, or an example."""
    if before := _uuid(request.GET.get("from")):
        workflow = get_object_or_404(_own(request), pk=before, deleted=None)
        return {**workflow.options, "type": workflow.type, "prompt": workflow.prompt, "image": workflow.image_id}
    if image := _uuid(request.GET.get("image")):
        get_object_or_404(request.user.assets.filter(kind="image"), pk=image)
        return {"type": Workflow.Type.VIDEO_FROM_IMAGE, "image": image, "enhance": False}
    if request.GET.get("type") == Workflow.Type.VIDEO_FROM_IMAGE:
        return {"type": Workflow.Type.VIDEO_FROM_IMAGE, "enhance": False}
    return {"prompt": request.GET.get("prompt", "")}


def _uuid(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise Http404 from error


# --- One run -----------------------------------------------------------------------------------------------


@login_required
@require_GET
def detail(request: Visit, pk: UUID) -> HttpResponse:
    """A run as it stands: the strip, the money, what can be done."""
    workflow = owned(request.user, pk)
    return render(request, "workflows/detail.html", {"strip": Strip(workflow), "workflow": workflow})


@login_required
@require_GET
def live(request: Visit, pk: UUID) -> HttpResponse:
    """The part of a run's page that moves, or 304 while nothing has."""
    return _when_changed(request, pk, "workflows/_live.html")


@login_required
@require_GET
def card(request: Visit, pk: UUID) -> HttpResponse:
    """A run's card in the gallery, or 304 while nothing has changed."""
    return _when_changed(request, pk, "workflows/_card.html")


def _when_changed(request: Visit, pk: UUID, template: str) -> HttpResponse:
    workflow = owned(request.user, pk)
    strip = Strip(workflow)
    etag = _etag(status_document(workflow, strip.steps, strip.money), strip.pace, get_language())
    response = get_conditional_response(request, etag=etag)
    if response is None:
        context = {"strip": strip, "workflow": workflow, "fragment": True}
        response = render(request, template, context)
        response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _etag(*parts: Any) -> str:
    return quote_etag(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32])


@login_required
@require_POST
def cancel(request: Visit, pk: UUID) -> HttpResponse:
    """Stop it; what was not delivered comes back."""
    workflow = pipeline.cancel(owned(request.user, pk).pk)
    if workflow.status == Status.SUCCEEDED:
        messages.info(request, _("It was finished before it could be canceled."))
    return redirect(workflow)


@login_required
@require_POST
def retry(request: Visit, pk: UUID) -> HttpResponse:
    """Go on from the step that is missing."""
    workflow = owned(request.user, pk)
    try:
        pipeline.retry(workflow.pk)
    except pipeline.NotRetryable as refusal:
        messages.error(request, str(refusal))
    except InsufficientCredits as short:
        messages.error(request, _not_enough(short))
    except TooMany as refusal:
        messages.error(request, str(refusal))
    return redirect(workflow)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: Visit, pk: UUID) -> HttpResponse:
    """Ask, then take the run's files and words away."""
    workflow = get_object_or_404(_own(request), pk=pk, deleted=None)
    if request.method == "POST":
        try:
            deletion.delete(workflow)
        except deletion.StillRunning:
            messages.error(request, _("It is still in the making. Cancel it first."))
            return redirect(workflow)
        messages.success(request, _("It is deleted. Its receipt stays under credits."))
        return redirect("workflows:gallery")
    return render(request, "workflows/delete.html", {"workflow": workflow, "strip": Strip(workflow)})


def _not_enough(short: InsufficientCredits) -> str:
    return _("It needs %(needed)d credits; you have %(available)d, and %(held)d are held for other runs.") % {
        "needed": short.needed,
        "available": short.available,
        "held": short.held,
    }


# --- One's own pictures ------------------------------------------------------------------------------------


@login_required
@never_cache
@require_GET
def own_pictures(request: Visit) -> HttpResponse:
    """What one has uploaded, newest first, and how much room it takes."""
    pictures = Paginator(deletion.with_need(uploads.own(request.user)), PICTURES)
    context = {
        "pictures": pictures.get_page(request.GET.get("page")),
        "taken": uploads.room_taken(request.user),
        "limit": settings.UPLOAD_MAX_BYTES_PER_USER,
    }
    return render(request, "workflows/pictures.html", context)


@login_required
@require_POST
def delete_picture(request: Visit, pk: UUID) -> HttpResponse:
    """Take one of them away for good."""
    try:
        deletion.delete_upload(get_object_or_404(uploads.own(request.user), pk=pk))
    except deletion.StillNeeded as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The picture is deleted."))
    return redirect("workflows:own-pictures")


# --- Gallery -----------------------------------------------------------------------------------------------


@login_required
@require_GET
def gallery(request: Visit) -> HttpResponse:
    """A contact sheet of one's own runs, newest first."""
    chosen = {name: request.GET.get(name, "") for name in ("type", "status")}
    runs = _own(request).filter(deleted=None).order_by("-created", "-pk")
    page = list(_filtered(_after(runs, request.GET.get("before")), chosen)[: PAGE + 1])
    steps = made_by(page[:PAGE])
    strips = [Strip(workflow, steps[workflow.pk]) for workflow in page[:PAGE]]
    context = {
        "strips": strips,
        "more": page[PAGE - 1].pk if len(page) > PAGE else None,
        "is_live": len(page) > PAGE or any(strip.pace for strip in strips),
        "chosen": chosen,
        "types": Workflow.Type.choices,
        "statuses": STATUSES,
        "is_filtered": any(chosen.values()),
    }
    only_more = request.htmx and request.GET.get("before")
    return render(request, "workflows/_sheet.html" if only_more else "workflows/gallery.html", context)


def _filtered(runs: QuerySet[Workflow], chosen: dict[str, str]) -> QuerySet[Workflow]:
    if chosen["type"] in Workflow.Type.values:
        runs = runs.filter(type=chosen["type"])
    if chosen["status"] == "unfinished":
        return runs.filter(status__in=UNFINISHED)
    return runs.filter(status=chosen["status"]) if chosen["status"] in Status.values else runs


def _after(runs: QuerySet[Workflow], before: str | None) -> QuerySet[Workflow]:
    """Those older than the run whose id is `before`."""
    if not (pk := _uuid(before)):
        return runs
    last = get_object_or_404(runs, pk=pk)
    return runs.filter(Q(created__lt=last.created) | Q(created=last.created, pk__lt=last.pk))


def _own(request: Visit) -> QuerySet[Workflow]:
    return Workflow.objects.filter(user=request.user).select_related("image")
