"""Pika: fal's protocol and key, its own name, fields and rows."""

import json
from dataclasses import replace

import responses

from providers.adapters import key_owner
from providers.adapters.pika import PikaAdapter
from providers.base import JobRef
from providers.models import ProviderCall
from tests.providers import test_fal as fal
from tests.providers.contract import Canned, Contract, Spec

ENDPOINT = "fal-ai/pika/v2.2/image-to-video"
HOME = f"{fal.QUEUE}/fal-ai/pika/requests/{fal.ID}"
REQUEST = replace(fal.REQUEST, model=ENDPOINT)
ADAPTER = PikaAdapter()
SUBMIT = Canned("POST", f"{fal.QUEUE}/{ENDPOINT}", 200, fal.sample("submit", "pika"))


class TestPikaContract(Contract):
    spec = Spec(
        adapter=ADAPTER,
        token=fal.KEY,
        request=REQUEST,
        submit=SUBMIT,
        around=(fal.PERMISSION, fal.UPLOAD),
        job=JobRef(fal.ID, ENDPOINT),
        fetch=Canned("GET", f"{HOME}/status", 202, fal.sample("in_queue")),
        finished=(
            Canned("GET", f"{HOME}/status", 200, fal.sample("completed")),
            Canned("GET", HOME, 200, fal.sample("result")),
        ),
        check=fal.PERMISSION,
        refusals=fal.REFUSALS,
        origins=(f"{fal.QUEUE}/", "https://rest.fal.ai/"),
    )


@responses.activate
def test_it_asks_fal_for_pika_s_model(db):
    for canned in (fal.PERMISSION, fal.UPLOAD, SUBMIT):
        canned.put()
    ADAPTER.submit(REQUEST, token=fal.KEY)
    assert json.loads(fal.said_to(SUBMIT.url).body) == fal.sample("request", "pika")
    assert set(ProviderCall.objects.values_list("provider", flat=True)) == {"pika"}


def test_fals_key_opens_it():
    assert key_owner("pika") == "fal"
