"""The shapes of the API's requests and answers, for its OpenAPI document; tests hold real answers against them.

They describe and do not check: what may be asked for is decided by `quote.py`.
"""

from typing import Any

from rest_framework import serializers

from workflows.models import Step, Workflow
from workflows.states import Status

Shape = serializers.Serializer[Any]
STATUSES = [status for status in Status.values if status != Status.QUEUED]


class OptionsShape(Shape):
    """All of it optional; what a model can do is told by /api/models."""

    aspect_ratio = serializers.CharField(required=False)
    duration_seconds = serializers.IntegerField(required=False)
    resolution = serializers.CharField(required=False)
    style = serializers.CharField(required=False)  # type: ignore[assignment]
    enhance = serializers.BooleanField(required=False)
    text_model = serializers.CharField(required=False)
    image_model = serializers.CharField(required=False)
    video_model = serializers.CharField(required=False)
    seed = serializers.IntegerField(required=False)


class ExecuteShape(Shape):
    """What to make. `image` is the id of an asset, for video-from-image."""

    type = serializers.ChoiceField(choices=Workflow.Type.values)
    prompt = serializers.CharField()
    image = serializers.UUIDField(required=False, allow_null=True)
    options = OptionsShape(required=False)


class WorkflowIdShape(Shape):
    """Which workflow."""

    workflow_id = serializers.UUIDField()


class LineShape(Shape):
    """The price of one stage, in credits, and the model that does it."""

    stage = serializers.ChoiceField(choices=Step.Stage.values)
    provider = serializers.CharField()
    model = serializers.CharField()
    credits = serializers.IntegerField()


class QuoteShape(Shape):
    """The most a run can cost, in credits."""

    credits = serializers.IntegerField()
    lines = LineShape(many=True)


class LinksShape(Shape):
    """Where to go on."""

    status = serializers.CharField()
    cancel = serializers.CharField()
    page = serializers.CharField()


class ReceiptShape(Shape):
    """The answer to execute and retry."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=Workflow.Type.values)
    status = serializers.ChoiceField(choices=STATUSES)
    quote = QuoteShape()
    links = LinksShape()


class StepShape(Shape):
    """One stage of a run."""

    stage = serializers.ChoiceField(choices=Step.Stage.values)
    status = serializers.ChoiceField(choices=STATUSES)
    provider = serializers.CharField()
    model = serializers.CharField()
    attempts = serializers.IntegerField()
    started = serializers.DateTimeField(allow_null=True)
    finished = serializers.DateTimeField(allow_null=True)
    position = serializers.IntegerField(allow_null=True, help_text="its place in line, from 1, while it waits here")
    provider_position = serializers.IntegerField(
        allow_null=True, help_text="its place in the provider's line, as the provider tells it"
    )
    held_up = serializers.CharField(
        allow_null=True, help_text="what stands in its way while we go on trying, as a sentence"
    )
    credits = serializers.IntegerField(help_text="taken for it")


class AssetShape(Shape):
    """A file of yours."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    thumbnail = serializers.CharField()
    content_type = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    duration_seconds = serializers.FloatField(required=False, help_text="of a video")


class ResultShape(Shape):
    """What was made so far."""

    prompt = serializers.CharField(allow_null=True, help_text="the improved prompt")
    image = AssetShape(allow_null=True)
    video = AssetShape(allow_null=True)


class MoneyShape(Shape):
    """In credits: the price, what is held now, taken for good, and given back."""

    quoted = serializers.IntegerField()
    held = serializers.IntegerField()
    settled = serializers.IntegerField()
    refunded = serializers.IntegerField()


class ErrorShape(Shape):
    """Why a run failed."""

    code = serializers.CharField()
    message = serializers.CharField()
    advice = serializers.CharField()


class MayComeShape(Shape):
    """The result of a failed run may still arrive until then, for nothing: it is worth asking again."""

    until = serializers.DateTimeField()
    message = serializers.CharField()


class StatusShape(Shape):
    """Where a run stands."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=Workflow.Type.values)
    status = serializers.ChoiceField(choices=STATUSES)
    cancel_requested = serializers.BooleanField()
    prompt = serializers.CharField()
    options = serializers.DictField()
    progress = serializers.FloatField(min_value=0, max_value=1)
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)
    steps = StepShape(many=True)
    result = ResultShape()
    credits = MoneyShape()
    error = ErrorShape(allow_null=True)
    may_come = MayComeShape(allow_null=True)
    links = LinksShape()


class CanceledShape(Shape):
    """How a run stands after it was canceled. While a provider is being asked to stop, it is not finished yet."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATUSES)
    cancel_requested = serializers.BooleanField()
    credits = MoneyShape()
    given_back = serializers.IntegerField(help_text="credits")


class SummaryShape(Shape):
    """A run in the list."""

    id = serializers.UUIDField()
    type = serializers.ChoiceField(choices=Workflow.Type.values)
    status = serializers.ChoiceField(choices=STATUSES)
    prompt = serializers.CharField()
    quoted = serializers.IntegerField(help_text="credits")
    created = serializers.DateTimeField()
    finished = serializers.DateTimeField(allow_null=True)
    links = LinksShape()


class UploadShape(Shape):
    """One picture: PNG, JPEG or WebP."""

    image = serializers.FileField()


class AddressShape(Shape):
    """Where a picture is: a public https address."""

    url = serializers.URLField(max_length=2000)
