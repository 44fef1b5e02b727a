"""A server that speaks every provider's API, so that VidGenie can be tried and tested without a key."""

import contextlib
import signal
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from providers.simulator.calls import CONCURRENCY, Simulator
from providers.simulator.clock import Clock, Renders
from providers.simulator.faults import FAULTS, expanded
from providers.simulator.media import TINY
from providers.simulator.server import listen, serve

EXAMPLE = """
  Point VidGenie at it   VIDGENIE_PROVIDER_MODE=simulated (any well-shaped key will do)
  What was billed        GET  {place}/_control/books
  Faults                 GET  {place}/_control/faults  lists them all
                         PUT  {place}/_control/faults  {{"rates": {{"rate_limited": 0.1}}, "seed": 7}}
  One prompt only        write #sim:NAME into it, say #sim:reset_after@fal.submit
"""


class Command(BaseCommand):
    help = "Simulates OpenAI, fal, Google, Vertex and Runway on one port, misbehavior included. Ctrl-C ends it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.SIMULATOR_PORT, help="0 takes a free one")
        parser.add_argument("--speed", type=speed, default=1.0, help="10 is ten times as fast, 0 at once")
        parser.add_argument("--faults", type=rates, default={}, help="NAME=0.1,NAME@fal.submit=0.1,… or all=0.1")
        parser.add_argument("--seed", type=int, default=0, help="what random faults are drawn with")
        parser.add_argument("--concurrency", type=slots, default={}, help=f"jobs per key; default {CONCURRENCY}")
        parser.add_argument("--renders", type=renders, help="seconds that jobs take, as MEDIAN or MEDIAN:SIGMA")
        parser.add_argument(
            "--tiny", type=int, nargs="?", const=TINY, metavar="PIXELS", help="pictures and films with so short a side"
        )
        parser.add_argument(
            "--measure", type=float, nargs="?", const=10.0, metavar="SECONDS", help="load it and print what it carries"
        )

    def handle(self, *, port: int, measure: float | None, **options: Any) -> None:
        if measure:
            from providers.simulator.measure import report

            self.stdout.write(report(measure))
            return
        try:
            listener = listen("127.0.0.1", port)
        except OSError as error:
            raise CommandError(f"Cannot listen on port {port}: {error.strerror}. Try: --port 0") from error
        for interruption in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them once more when it has finished
            signal.signal(interruption, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            self.welcome(f"http://127.0.0.1:{listener.getsockname()[1]}")
            wanted = {name: options[name] for name in ("speed", "seed", "concurrency", "renders", "tiny")}
            serve(Simulator(rates=options["faults"], **wanted), listener)
        self.stdout.write("The simulator has stopped.")

    def welcome(self, place: str) -> None:
        """Say where it is and how it is used."""
        self.stdout.write(f"Simulating providers at {place} ({len(FAULTS)} faults known){EXAMPLE.format(place=place)}")
        self.stdout.flush()


def rates(text: str) -> dict[str, float]:
    """NAME=0.1,… as numbers by name."""
    try:
        return expanded(dict(part.rsplit("=", 1) for part in text.split(",") if part))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def speed(text: str) -> float:
    """A factor that is not negative."""
    try:
        return Clock(float(text)).speed
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def renders(text: str) -> Renders:
    """MEDIAN or MEDIAN:SIGMA."""
    try:
        return Renders.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def slots(text: str) -> dict[str, int]:
    """fal=2,runway=5 as numbers by provider."""
    try:
        return {name: int(count) for name, count in (part.split("=", 1) for part in text.split(",") if part)}
    except ValueError as error:
        raise ArgumentTypeError("it must be like fal=2,runway=5") from error
