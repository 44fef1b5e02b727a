"""One contract for every provider: a few words, a cheap image, a cheap video that is stopped again.

It always runs against the simulator. Against the real APIs it runs where ENABLE_REAL_API_TESTS is true, for those that
there is a key for, and for as long as MAX_TEST_CREDITS_PER_RUN lasts, which the gateway watches over.
"""

import io
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from providers import budget, catalog, gateway
from providers.base import Job, JobRef, JobRequest, Kind, Picture, ProviderError, Reason, Status
from providers.catalog import Model
from providers.models import ProviderCall
from tests.integration.conftest import Place, why_not_real
from tests.pictures import picture
from tests.simulator import Simulator

PROMPT = "A paper boat drifts across a still pond at dawn."
PICTURE = Picture(picture(1280, 720, "JPEG"), "image/jpeg")
CASES = [
    ("openai", Kind.TEXT),
    ("openai", Kind.IMAGE),
    ("fal", Kind.VIDEO),
    ("pika", Kind.VIDEO),
    ("google", Kind.VIDEO),
    ("vertex", Kind.VIDEO),
    ("runway", Kind.VIDEO),
]
GOING = {Status.QUEUED, Status.RUNNING}

pytestmark = pytest.mark.django_db


def cheapest(provider: str, kind: Kind) -> tuple[JobRequest, Model]:
    """The least that can be asked of a provider, from the catalog."""
    model = next(one for one in catalog.live(kind) if one.provider == provider)
    seconds = min(model.seconds, default=0)
    resolution = min(model.resolutions, key=lambda one: model.cost(seconds=seconds, resolution=one), default="")
    found = {"aspect_ratio": "16:9", "resolution": resolution, "duration_seconds": seconds}
    options: dict[str, Any] = {name: value for name, value in found.items() if value}
    price = model.cost(seconds=seconds, resolution=resolution)
    image = PICTURE if kind is Kind.VIDEO else None
    return JobRequest(kind, model.endpoint, PROMPT, options, str(uuid.uuid4()), image, price), model


def the_contract(provider: str, kind: Kind, place: Place) -> None:
    """Submit; what is not finished by then is looked at and stopped. Every call leaves its row."""
    request, model = cheapest(provider, kind)
    before = budget.spent()
    job = gateway.submit(provider, request)
    assert budget.spent() - before == request.price
    assert job.id
    if kind is Kind.VIDEO:
        stopped(provider, JobRef(job.id, model.endpoint, job.handle), place)
    else:
        assert job.status == Status.SUCCEEDED
        {Kind.TEXT: has_words, Kind.IMAGE: has_picture}[kind](provider, job)
    assert ProviderCall.objects.filter(provider=provider, model=model.endpoint, operation="submit").count() == 1


def has_words(provider: str, job: Job) -> None:
    """A prompt came back, and no JSON around it."""
    assert len(job.outputs[0].text) > 10
    assert not job.outputs[0].text.startswith("{")


def has_picture(provider: str, job: Job) -> None:
    """An image of the shape that was asked for."""
    with gateway.download(provider, job.outputs[0]) as file:
        width, height = Image.open(io.BytesIO(file.read())).size
    assert abs(width / height - 16 / 9) < 0.05


def stopped(provider: str, job: JobRef, place: Place) -> None:
    """A job that is under way can be asked to stop; whatever becomes of it, we have a word for it."""
    assert gateway.fetch(provider, job).status in GOING
    gateway.cancel(provider, job)
    time.sleep(place.look)
    found = gateway.fetch(provider, job)
    assert found.status in GOING | {Status.CANCELED, Status.SUCCEEDED, Status.FAILED}
    assert found.status != Status.FAILED or found.reason is not None


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_the_simulator_keeps_the_contract(simulated: Place, simulator: Simulator, provider: str, kind: Kind) -> None:
    simulator.reset(speed=1 if kind is Kind.VIDEO else 0)
    the_contract(provider, kind, simulated)


@pytest.mark.parametrize(("provider", "kind"), CASES)
def test_the_real_api_keeps_the_contract(provider: str, kind: Kind, settings: Any, opened: Callable[[], Place]) -> None:
    if why := why_not_real(provider, cheapest(provider, kind)[0].price, settings):
        pytest.skip(why)
    the_contract(provider, kind, opened())


def test_every_provider_with_a_key_is_in_the_contract() -> None:
    assert {name for name, _ in CASES} == gateway.ADAPTERS.keys() - {"sandbox"}


# --- The budget of a run ---------------------------------------------------------------------------------------


def test_the_budget_stops_a_run_before_a_call_is_made(simulated: Place, simulator: Simulator, settings: Any) -> None:
    settings.MAX_TEST_CREDITS_PER_RUN = 10
    request, _model = cheapest("openai", Kind.IMAGE)
    assert request.price == 2
    for _ in range(5):
        gateway.submit("openai", request)
    calls = ProviderCall.objects.count()
    with pytest.raises(ProviderError, match="MAX_TEST_CREDITS_PER_RUN=10") as failure:
        gateway.submit("openai", request)
    assert (failure.value.reason, failure.value.sent, budget.spent()) == (Reason.OUT_OF_QUOTA, False, 10)
    assert ProviderCall.objects.count() == calls
    assert simulator.books("openai")["providers"]["openai"]["accepted"] == 5


def test_a_job_that_is_dearer_than_the_budget_is_never_sent(
    simulated: Place, simulator: Simulator, settings: Any
) -> None:
    settings.MAX_TEST_CREDITS_PER_RUN = 10
    with pytest.raises(ProviderError) as failure:
        gateway.submit("vertex", cheapest("vertex", Kind.VIDEO)[0])
    assert (failure.value.reason, budget.spent()) == (Reason.OUT_OF_QUOTA, 0)
    assert simulator.books()["providers"] == {}


def test_a_real_call_needs_a_wish_a_key_and_credits(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_spent", 4)
    settings.PROVIDER_KEYS = dict.fromkeys(settings.PROVIDER_KEYS, "")
    settings.PROVIDER_MODE, settings.MAX_TEST_CREDITS_PER_RUN = "simulated", 10
    settings.ENABLE_REAL_API_TESTS = False
    reasons = [why_not_real("pika", 6, settings)]
    settings.ENABLE_REAL_API_TESTS = True
    reasons.append(why_not_real("pika", 6, settings))
    settings.PROVIDER_MODE = "real"
    reasons.append(why_not_real("pika", 6, settings))
    settings.PROVIDER_KEYS = {"fal": "id:secret"}
    assert [*reasons, why_not_real("pika", 7, settings), why_not_real("pika", 6, settings)] == [
        "ENABLE_REAL_API_TESTS is not true",
        "VIDGENIE_PROVIDER_MODE is not real",
        "there is no key in FAL_KEY",
        "it costs 7 credits, and MAX_TEST_CREDITS_PER_RUN leaves 6",
        "",
    ]
