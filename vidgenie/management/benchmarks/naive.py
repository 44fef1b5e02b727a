"""The same work done the naive way: one task of the queue that submits, sleeps, polls, and stores, from hold to settle.

It calls the same adapters and the same ledger. It keeps no states, claims nothing and survives nothing: what dies with
its worker is lost, and the queue would pay for it a second time.
"""

import time
from dataclasses import replace

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django_q.tasks import async_task

from credits import ledger
from providers import catalog, gateway
from providers.base import Job, JobRef, Output, Picture, Status
from workflows import media
from workflows.models import Asset
from workflows.quote import Line, Quote
from workflows.services import SERVICES

POLL = 5.0  # seconds between two looks, as Runway asks; the first look comes at once
TIMEOUT = 3600  # seconds; with the queue's own 60 no render would be seen to its end


def start(user: User, quote: Quote, number: int) -> None:
    """Put a run into the queue."""
    name = f"naive:{time.time_ns()}:{number}"
    async_task("vidgenie.management.benchmarks.naive.run", user.pk, quote, name, timeout=TIMEOUT)


def run(user_id: int, quote: Quote, name: str) -> None:
    """All of a run. Its settlement's key ends in the id of the video's job."""
    user = User.objects.get(pk=user_id)
    hold = ledger.hold(user, quote.credits, reference=name)
    text, asset, job = quote.prompt, quote.image, None
    for line in quote.lines:
        job = _made(line, quote, text, asset, f"{name}:{line.stage}")
        output = SERVICES[line.stage].keep(job)
        if output.text:
            text = output.text
        else:
            asset = _stored(line, output, user, f"{name}:{line.stage}".replace(":", "-"))
    ledger.settle(hold, quote.credits, key=f"{name}:{job.id if job else ''}")


def _made(line: Line, quote: Quote, text: str, asset: Asset | None, reference: str) -> Job:
    endpoint, picture = catalog.get(line.model).endpoint, None
    if line.stage == "video" and asset is not None:
        with default_storage.open(asset.file) as file:
            picture = Picture(file.read(), asset.content_type)
    asked = SERVICES[line.stage].ask(endpoint, text, quote.options, reference, picture)
    job = gateway.submit(line.provider, replace(asked, price=line.credits))
    known = JobRef(job.id, endpoint, job.handle)
    while job.status not in (Status.SUCCEEDED, Status.FAILED, Status.CANCELED):
        job = gateway.fetch(line.provider, known)
        if job.status in (Status.QUEUED, Status.RUNNING):
            time.sleep(POLL)
    return job


def _stored(line: Line, output: Output, user: User, name: str) -> Asset:
    with gateway.download(line.provider, output) as source:
        file, size, sha256 = media.fetch_to_disk(source)
    with file:
        asset = media.store(file, size, sha256, name=f"naive/{name}", kind=SERVICES[line.stage].kind.value)
    asset.user = user
    asset.save()
    gateway.discard(output.location)
    return asset
