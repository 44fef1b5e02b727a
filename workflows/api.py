"""The API's doors to workflows and their files: each parses, calls one operation, and renders.

What operations raise becomes an answer in `vidgenie/api.py`, for all doors alike. Whatever belongs to somebody else
does not exist.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import sql
from workflows import content, deletion, document, pipeline, shapes, uploads
from workflows.models import Asset, Workflow
from workflows.prompts import InvalidInput
from workflows.quote import Line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_FIELDS = {"type", "prompt", "image", "options"}
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Up to 255 visible ASCII characters. The same key and body give the same workflow, once.",
)
_WAIT_HEADER = OpenApiParameter(
    "Retry-After", OpenApiTypes.INT, OpenApiParameter.HEADER, description="seconds", response=[429]
)
_TOO_MANY = {
    (429, "application/problem+json"): OpenApiResponse(
        {"$ref": "#/components/schemas/Problem"}, "Too many requests, or as many workflows as you may have."
    )
}
_ID_QUERY = OpenApiParameter("workflow_id", OpenApiTypes.UUID, OpenApiParameter.QUERY, required=True)
_DOWNLOAD = OpenApiParameter("download", OpenApiTypes.INT, OpenApiParameter.QUERY, description="1: as a download")


# --- Workflows ---------------------------------------------------------------------------------------------


class Execute(APIView):
    """Start a workflow."""

    scopes = {"POST": "run"}

    @extend_schema(
        operation_id="workflow_execute",
        summary="Start a workflow",
        parameters=[_KEY_HEADER, _WAIT_HEADER],
        request=shapes.ExecuteShape,
        responses={202: shapes.ReceiptShape} | _TOO_MANY,
    )
    def post(self, request: Request) -> Response:
        """Hold the quoted credits and start; the answer says what it costs at most and which models do it."""
        body = _body(request, _FIELDS)
        key = _key(request)
        digest = _digest(body) if key else ""
        if before := pipeline.started_before(_user(request), key, digest):
            return _receipt(before, _lines(before))
        image = _own_image(request, body.get("image"))
        quote = pipeline.quote(body.get("type"), body.get("prompt"), body.get("options"), image, user=_user(request))
        try:
            workflow = pipeline.start(_user(request), quote, key=key, digest=digest)
        except pipeline.PictureGone as error:
            raise _no_image() from error
        return _receipt(workflow, _lines(workflow) if workflow.replayed else [_line(line) for line in quote.lines])


class Retry(APIView):
    """Try a workflow again."""

    scopes = {"POST": "run"}

    @extend_schema(
        operation_id="workflow_retry",
        summary="Try a failed or canceled workflow again",
        parameters=[_WAIT_HEADER],
        request=None,
        responses={202: shapes.ReceiptShape} | _TOO_MANY,
    )
    def post(self, request: Request, workflow_id: UUID) -> Response:
        """Start again from the step that is missing; what was paid for is kept."""
        workflow = pipeline.retry(_own(request, workflow_id).pk)
        return _receipt(workflow, _lines(workflow))


class StatusOf(APIView):
    """Where a workflow stands."""

    scopes = {"GET": "read"}

    @extend_schema(operation_id="workflow_status", summary="See where a workflow stands", responses=shapes.StatusShape)
    def get(self, request: Request, workflow_id: UUID) -> Response:
        """Steps, results, money. With `If-None-Match` it answers 304 while nothing changes."""
        return _status(request, _own(request, workflow_id))


class StatusByQuery(APIView):
    """Where a workflow stands."""

    scopes = {"GET": "read"}

    @extend_schema(
        operation_id="workflow_status_by_query",
        summary="See where a workflow stands",
        parameters=[_ID_QUERY],
        responses=shapes.StatusShape,
    )
    def get(self, request: Request) -> Response:
        """The same, with the id in the query."""
        return _status(request, _own(request, _id(request.query_params.get("workflow_id"))))


class Cancel(APIView):
    """Cancel a workflow."""

    scopes = {"POST": "run"}

    @extend_schema(
        operation_id="workflow_cancel",
        summary="Cancel a workflow",
        request=None,
        responses=shapes.CanceledShape,
    )
    def post(self, request: Request, workflow_id: UUID) -> Response:
        """Stop it as soon as can be; asking twice, or after its end, changes nothing."""
        return _cancel(request, workflow_id)


class CancelByBody(APIView):
    """Cancel a workflow."""

    scopes = {"POST": "run"}

    @extend_schema(
        operation_id="workflow_cancel_by_body",
        summary="Cancel a workflow",
        request=shapes.WorkflowIdShape,
        responses=shapes.CanceledShape,
    )
    def post(self, request: Request) -> Response:
        """The same, with the id in the body."""
        return _cancel(request, _id(_body(request, {"workflow_id"}).get("workflow_id")))


class Workflows(GenericAPIView[Workflow]):
    """The user's workflows."""

    scopes = {"GET": "read"}
    queryset = Workflow.objects.none()

    @extend_schema(
        operation_id="workflow_list", summary="List your workflows", responses=shapes.SummaryShape(many=True)
    )
    def get(self, request: Request) -> Response:
        """Newest first; `next` leads to older ones."""
        page = self.paginate_queryset(Workflow.objects.filter(user=_user(request), deleted=None))
        return self.get_paginated_response([_summary(workflow) for workflow in page or ()])


class Delete(APIView):
    """Delete a workflow."""

    scopes = {"DELETE": "run"}

    @extend_schema(operation_id="workflow_delete", summary="Delete a finished workflow", responses={204: None})
    def delete(self, request: Request, workflow_id: UUID) -> Response:
        """Its files and words go, the lines of the ledger stay."""
        deletion.delete(_own(request, workflow_id))
        return Response(status=204)


# --- Assets ------------------------------------------------------------------------------------------------


class Uploads(GenericAPIView[Asset]):
    """The user's own pictures."""

    scopes = {"GET": "read", "POST": "run"}
    queryset = Asset.objects.none()
    parser_classes = [MultiPartParser, JSONParser]

    @extend_schema(
        operation_id="asset_list", summary="List the pictures you uploaded", responses=shapes.AssetShape(many=True)
    )
    def get(self, request: Request) -> Response:
        """Newest first; `next` leads to older ones."""
        page = self.paginate_queryset(uploads.own(_user(request)))
        return self.get_paginated_response([document.asset_document(asset) for asset in page or ()])

    @extend_schema(
        operation_id="asset_upload",
        summary="Upload a picture",
        request={"multipart/form-data": shapes.UploadShape, "application/json": shapes.AddressShape},
        responses={201: shapes.AssetShape},
    )
    def post(self, request: Request) -> Response:
        """One PNG, JPEG or WebP in the field `image`, as multipart/form-data, or the https address of one as `url`."""
        asset = uploads.upload(_user(request), file) if (file := request.FILES.get("image")) else _fetched(request)
        answer = document.asset_document(asset)
        return Response(answer, status=201, headers={"Location": answer["url"].removesuffix("/content")})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body that is too large before anything reads it."""
        _require_length(request)
        super().initial(request, *args, **kwargs)


def _fetched(request: Request) -> Asset:
    if request.content_type == "application/json":
        return uploads.upload_from(_user(request), _body(request, ("url",)).get("url"))
    raise InvalidInput({"image": _("Send a picture as a file, in a field of this name.")})


class AssetDetail(APIView):
    """A file of the user's."""

    scopes = {"GET": "read", "DELETE": "run"}

    @extend_schema(operation_id="asset", summary="See what a file is", responses=shapes.AssetShape)
    def get(self, request: Request, asset_id: UUID) -> Response:
        """Its measures and where its content is."""
        return Response(document.asset_document(_own_asset(request, asset_id)))

    @extend_schema(operation_id="asset_delete", summary="Delete a picture you uploaded", responses={204: None})
    def delete(self, request: Request, asset_id: UUID) -> Response:
        """For good. Refused while a run goes on with it, or can be tried again with it."""
        deletion.delete_upload(_own_asset(request, asset_id))
        return Response(status=204)


class Content(APIView):
    """A file's content. Not counted against the rate: a player asks for many parts."""

    scopes = {"GET": "read"}
    throttle_classes = []

    @extend_schema(
        operation_id="asset_content",
        summary="Get a file",
        parameters=[_DOWNLOAD],
        responses={
            (200, "*/*"): OpenApiTypes.BINARY,
            (206, "*/*"): OpenApiTypes.BINARY,
            302: OpenApiResponse(
                description="The file is at `Location`, for some minutes: ask there, without the token."
            ),
        },
    )
    def get(self, request: Request, asset_id: UUID) -> HttpResponseBase:
        """The content; `Range` and `If-None-Match` work."""
        return content.serve(request, _own_asset(request, asset_id))


class Thumbnail(APIView):
    """A small picture of the file. Not counted against the rate: a gallery asks for many."""

    scopes = {"GET": "read"}
    throttle_classes = []

    @extend_schema(
        operation_id="asset_thumbnail",
        summary="Get a small picture of a file",
        responses={(200, "image/webp"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, asset_id: UUID) -> HttpResponseBase:
        """A WebP of at most 400 pixels a side."""
        return content.serve_thumbnail(request, _own_asset(request, asset_id))


# --- Parsing -----------------------------------------------------------------------------------------------


def _user(request: Request) -> "User":
    """Who asks; strangers never get as far as a view."""
    return cast("User", request.user)


def _body(request: Request, known: Iterable[str]) -> Mapping[str, Any]:
    """The request's JSON object; raises InvalidInput for anything else, naming fields we don't know."""
    body = request.data
    if not isinstance(body, dict):
        raise InvalidInput({"body": _("This must be a JSON object.")})
    names = ", ".join(sorted(known))
    text = _("There is no such field. The fields are: %(names)s.") % {"names": names}
    if unknown := {str(name)[:40]: text for name in body if name not in set(known)}:
        raise InvalidInput(unknown)
    return body


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidInput({"Idempotency-Key": _("This must be 1 to 255 visible ASCII characters.")})
    return key


def _digest(body: Mapping[str, Any]) -> str:
    """The same for the same request, however its JSON was written."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _id(value: object, field: str = "workflow_id") -> UUID:
    try:
        if isinstance(value, str):
            return UUID(value)
    except ValueError:
        pass
    raise InvalidInput({field: _("This must be an id.")})


def _own(request: Request, workflow_id: UUID) -> Workflow:
    workflow = document.owned(_user(request), workflow_id)
    if workflow.deleted:
        raise Http404("No Workflow matches the given query.")
    return workflow


def _own_asset(request: Request, asset_id: UUID) -> Asset:
    found = sql.found(Asset, "id = %s AND user_id = %s", [asset_id, _user(request).pk])
    if not found:
        raise Http404("No Asset matches the given query.")
    return found[0]


def _own_image(request: Request, value: object) -> Asset | None:
    if value is None:
        return None
    image = Asset.objects.filter(pk=_id(value, "image"), user=_user(request)).first()
    if image is None:
        raise _no_image()
    return image


def _no_image() -> NotFound:
    return NotFound({"image": _("You have no image with this id.")})


def _require_length(request: Request) -> None:
    """The file's limit and some room for what multipart puts around it."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > settings.UPLOAD_MAX_BYTES + 64 * 1024:
        uploads.require_size(int(length))


# --- Rendering ---------------------------------------------------------------------------------------------


def _receipt(workflow: Workflow, lines: list[dict[str, Any]]) -> Response:
    links = document.links(workflow)
    answer = {
        "id": str(workflow.pk),
        "type": workflow.type,
        "status": workflow.status,
        "quote": {"credits": workflow.quoted, "lines": lines},
        "links": links,
    }
    headers = {"Location": links["status"]} | ({"Idempotent-Replayed": "true"} if workflow.replayed else {})
    return Response(answer, status=202, headers=headers)


def _lines(workflow: Workflow) -> list[dict[str, Any]]:
    """The lines of the quote that a workflow was started with."""
    return [
        {"stage": step.stage, "provider": step.provider, "model": step.model, "credits": step.price}
        for step in workflow.steps.all()
    ]


def _line(line: Line) -> dict[str, Any]:
    return {"stage": line.stage, "provider": line.provider, "model": line.model, "credits": line.credits}


def _status(request: Request, workflow: Workflow) -> Response:
    answer = document.status_document(workflow)
    etag = f'W/"{hashlib.sha256(json.dumps(answer).encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if not workflow.is_finished:
        headers["Retry-After"] = "1"
    if request.headers.get("If-None-Match") == etag:
        return Response(status=304, headers=headers)
    return Response(answer, headers=headers)


def _cancel(request: Request, workflow_id: UUID) -> Response:
    workflow = pipeline.cancel(_own(request, workflow_id).pk)
    money = document.money(workflow)
    return Response(
        {
            "id": str(workflow.pk),
            "status": workflow.status,
            "cancel_requested": workflow.cancel_requested is not None,
            "credits": money,
            "given_back": money["refunded"],
        }
    )


def _summary(workflow: Workflow) -> dict[str, Any]:
    return {
        "id": str(workflow.pk),
        "type": workflow.type,
        "status": workflow.status,
        "prompt": workflow.prompt,
        "quoted": workflow.quoted,
        "created": workflow.created.isoformat(),
        "finished": workflow.finished.isoformat() if workflow.finished else None,
        "links": document.links(workflow),
    }
