"""What both sides are made to ask: the same picture, the same words, the same options; and how they may differ."""

from dataclasses import dataclass
from typing import Any

from providers.base import JobRequest, Kind, Picture
from tests.pictures import picture
from tests.witness.recorder import ABSENT, Asked, differences

PNG = picture(640, 360)
PROMPT = "A red fox crosses fresh snow. Slow push in."
OPTIONS: dict[str, Any] = {"aspect_ratio": "16:9", "resolution": "720p", "duration_seconds": 5, "seed": 7}
REFERENCE = "0b7e6c5e-61a5-4ad5-b0c5-4f2c1f0a8c11"


@dataclass(frozen=True)
class Differs:
    """One fact in which we do not do what the SDK does, on purpose. `why` ends with where it is to be read."""

    fact: str
    theirs: Any
    ours: Any
    why: str


def request(model: str, kind: Kind = Kind.VIDEO, *, image: bool = True, **options: Any) -> JobRequest:
    """What an adapter is asked for; videos start from the picture unless told otherwise."""
    start = Picture(PNG, "image/png") if image and kind is Kind.VIDEO else None
    return JobRequest(kind, model, PROMPT, OPTIONS | options, REFERENCE, start)


def same(theirs: list[Asked], ours: list[Asked], *intended: Differs) -> None:
    """Assert that both sides have asked one thing each, and that they differ in what is intended and nothing else."""
    assert len(theirs) == len(ours) == 1, (theirs, ours)
    found, expected = differences(theirs[0], ours[0]), {one.fact: (one.theirs, one.ours) for one in intended}
    assert found == expected, f"not as intended: {found}"


TYPED = Differs(
    "header.content-type", "application/json", ABSENT, "without a body there is no type of it; google A5, runway B1"
)
