"""One run from the command line, through the same pipeline as everybody's, with a worker or without one."""

import json
import shutil
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils.text import slugify

from credits.ledger import InsufficientCredits
from providers.adapters import sandbox
from vidgenie.management.own_database import own_database
from workflows import pipeline, restored, uploads
from workflows.document import status_document
from workflows.limits import TooMany
from workflows.models import Asset, Workflow
from workflows.prompts import InvalidInput
from workflows.states import Status

LOOK = 0.2  # seconds between two looks


class Command(BaseCommand):
    help = "Makes one video or image, waits for it and writes its files. Exit code 0 only when it succeeded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prompt", help='what to see, such as "a fox in the snow"')
        parser.add_argument("--type", default="complete", choices=Workflow.Type.values)
        parser.add_argument("--image", type=Path, help="the image to bring to life, for video-from-image")
        parser.add_argument("--duration", type=int, help="seconds")
        parser.add_argument("--ratio", help="16:9, 9:16, 1:1 ...")
        parser.add_argument("--resolution", help="480p, 720p, 1080p")
        parser.add_argument("--style", help='such as "watercolor"')
        parser.add_argument("--seed", type=int, help="the same seed draws the same picture")
        parser.add_argument("--no-enhance", action="store_true", help="keep your own words")
        parser.add_argument("--image-model", help="default: auto")
        parser.add_argument("--video-model", help="default: auto")
        parser.add_argument("--output", type=Path, default=Path(), help="directory for the files; default: here")
        parser.add_argument("--user", help="whose credits; default: the first superuser")
        parser.add_argument("--json", action="store_true", help="print the status document and the files as JSON")

    def handle(self, **options: Any) -> None:
        with own_database():
            restored.require_origin()
            workflow = self._start(options)
            try:
                workflow = self._wait(workflow)
            except KeyboardInterrupt:
                pipeline.cancel(workflow.pk)
                raise CommandError("Canceled; what was not delivered is given back.", returncode=130) from None
            self._report(workflow, _write(workflow, options["output"]), as_json=options["json"])

    def _start(self, options: dict[str, Any]) -> Workflow:
        user = _user(options["user"])
        try:
            image = _upload(user, options["image"])
            quote = pipeline.quote(options["type"], options["prompt"], _chosen(options), image, user=user)
            return pipeline.start(user, quote)
        except InvalidInput as invalid:
            raise CommandError("\n".join(f"{field}: {text}" for field, text in invalid.errors.items())) from invalid
        except InsufficientCredits as short:
            raise CommandError(f"{short} Give {user} more with: manage.py grant_credits {user} ...") from short
        except TooMany as refusal:
            raise CommandError(str(refusal)) from refusal

    def _wait(self, workflow: Workflow) -> Workflow:
        """Look until it is finished, doing all that a worker would."""
        renderer = threading.Thread(target=_render, args=(workflow.pk,), daemon=True)
        renderer.start()
        progress = _Progress()
        while not workflow.is_finished:
            pipeline.advance(workflow.pk)
            workflow = Workflow.objects.get(pk=workflow.pk)
            progress.show(workflow)
            time.sleep(LOOK)
        progress.end()
        renderer.join()
        return workflow

    def _report(self, workflow: Workflow, files: list[str], *, as_json: bool) -> None:
        document = status_document(workflow)
        if as_json:
            self.stdout.write(json.dumps(document | {"files": files}, indent=2, ensure_ascii=False))
        else:
            for line in [*files, f"{document['credits']['settled']} credits"]:
                self.stdout.write(line)
        if workflow.status != Status.SUCCEEDED:
            raise CommandError(_why(document))


class _Progress:
    """A bar on a terminal, a line for each step elsewhere; always on stderr."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.last = ""

    def show(self, workflow: Workflow) -> None:
        document = status_document(workflow)
        step = next((step for step in document["steps"] if step["status"] == "running"), None)
        now = workflow.status if step is None else step["stage"]
        if step and step["held_up"]:
            now += f": {step['held_up']}"
            now = now[: max(shutil.get_terminal_size().columns - 38, 10)] if self.terminal else now
        if self.terminal:
            done = round(document["progress"] * 30)
            sys.stderr.write(f"\r{'█' * done}{'·' * (30 - done)} {document['progress']:4.0%}  {now:<{len(self.last)}}")
            sys.stderr.flush()
        elif now != self.last:
            sys.stderr.write(f"{now}\n")
        self.last = now

    def end(self) -> None:
        if self.terminal:
            sys.stderr.write("\n")


def _why(document: dict[str, Any]) -> str:
    """Why there is no result, what to do, what became of the money, and whether it may still arrive."""
    why = document["error"] or {"message": "It was canceled.", "advice": ""}
    later = document["may_come"] or {"message": ""}
    back = f"{document['credits']['refunded']} credits are back."
    return " ".join(part for part in (why["message"], why["advice"], back, later["message"]) if part)


def _user(name: str | None) -> User:
    if name:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        return user
    return User.objects.filter(is_superuser=True).order_by("pk").first() or User.objects.create_superuser("operator")


def _upload(user: User, path: Path | None) -> Asset | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return uploads.upload(user, File(file, name=path.name))
    except OSError as error:
        raise CommandError(f"image: {path} cannot be read: {error.strerror}") from error


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    names = {
        "duration": "duration_seconds",
        "ratio": "aspect_ratio",
        "resolution": "resolution",
        "style": "style",
        "seed": "seed",
        "image_model": "image_model",
        "video_model": "video_model",
    }
    chosen = {name: options[given] for given, name in names.items() if options[given] is not None}
    return chosen | ({"enhance": False} if options["no_enhance"] else {})


def _render(workflow_id: Any) -> None:
    """Be the sandbox's renderer, in a thread, until the run is finished; a worker's renderers may be faster."""
    while not Workflow.objects.get(pk=workflow_id).is_finished:
        job_id = sandbox.render_next()
        if job_id:
            pipeline.nudge("sandbox", job_id)
        else:
            time.sleep(LOOK)
    connections.close_all()


def _write(workflow: Workflow, directory: Path) -> list[str]:
    directory.mkdir(parents=True, exist_ok=True)
    name = slugify(workflow.prompt)[:40].strip("-") or "vidgenie"
    written = []
    for asset in Asset.objects.filter(pk__in=workflow.steps.exclude(asset=None).values("asset")).order_by("kind"):
        target = directory / f"{name}-{str(workflow.pk)[:8]}{Path(asset.file).suffix}"
        with default_storage.open(asset.file) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
        written.append(str(target))
    return written
