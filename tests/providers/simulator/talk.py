"""How a good client speaks to each provider: one submit, one look, one download."""

import io
from typing import Any

import av
import requests

from tests.simulator import Simulator, picture

VEO = "/vertex/v1beta1/projects/p/locations/us-central1/publishers/google/models/veo-3.1-fast-generate-001"
VIDEO = ("fal", "google", "vertex", "runway")


def body(provider: str, prompt: str = "a fox") -> dict[str, Any]:
    """A good submit: 5 or 6 seconds of film in 16:9 at 720p."""
    shape = {"type": "video", "aspect_ratio": "16:9", "duration": "6s", "resolution": "720p"}
    found: dict[str, dict[str, Any]] = {
        "openai": {"model": "gpt-image-2.5-flare", "prompt": prompt, "size": "1280x720", "quality": "low"},
        "fal": {"prompt": prompt, "image_url": f"data:image/png;base64,{picture()}", "duration": "5"},
        "google": {"model": "gemini-omni-1.2-flash", "background": True, "input": prompt, "response_format": shape},
        "vertex": {
            "instances": [{"prompt": prompt}],
            "parameters": {"durationSeconds": 6, "aspectRatio": "16:9", "resolution": "720p"},
        },
        "runway": {"model": "gen4.5", "promptText": prompt, "ratio": "1280:720", "duration": 5},
    }
    return found[provider]


PATHS = {
    "openai": "/openai/v1/images/generations",
    "fal": "/fal-queue/fal-ai/pika/v2.2/image-to-video",
    "google": "/google/v1beta/interactions",
    "vertex": f"{VEO}:predictLongRunning",
    "runway": "/runway/v1/text_to_video",
}


def submit(simulator: Simulator, provider: str, prompt: str = "a fox", **changes: Any) -> requests.Response:
    """A good submit, but for the changes."""
    return simulator.ask(provider, "POST", PATHS[provider], body(provider, prompt) | changes)


def look(simulator: Simulator, provider: str, job: dict[str, Any]) -> requests.Response:
    """How the job stands, as the provider is asked for it."""
    if provider == "vertex":
        return simulator.ask(provider, "POST", f"{VEO}:fetchPredictOperation", {"operationName": job["name"]})
    path = {
        "fal": job.get("status_url", ""),
        "google": f"/google/v1beta/interactions/{job.get('id')}",
        "runway": f"/runway/v1/tasks/{job.get('id')}",
    }[provider]
    return simulator.ask(provider, "GET", path)


def word(provider: str, answer: dict[str, Any]) -> Any:
    """The provider's own word for where a job stands."""
    return answer.get("done", False) if provider == "vertex" else answer["status"]


DONE = {"fal": "COMPLETED", "google": "completed", "vertex": True, "runway": "SUCCEEDED"}


def measured(content: bytes) -> tuple[int, int, float]:
    """Width, height and seconds of a film, by decoding it."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_image().size for frame in container.decode(stream)]
        return (*frames[0], len(frames) / float(stream.average_rate or 1))
