"""Every public method of the three services is tested in the file that has the service's name."""

import inspect
from pathlib import Path

import pytest

from workflows.services import SERVICES, ImageGeneratorService, PromptEnhancerService, VideoGeneratorService

FILES = {
    PromptEnhancerService: "test_prompt_enhancer.py",
    ImageGeneratorService: "test_image_generator.py",
    VideoGeneratorService: "test_video_generator.py",
}


def public_methods(service):
    return {name for name, _ in inspect.getmembers(service, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize(("service", "file"), FILES.items())
def test_every_public_method_is_called_by_the_tests_of_its_service(service, file):
    source = (Path(__file__).parent / file).read_text()
    assert public_methods(service) >= {"model", "validate", "price", "ask", "keep"}
    assert {name for name in public_methods(service) if f"SERVICE.{name}(" not in source} == set()


def test_the_three_services_are_the_three_stages():
    assert {stage: type(service) for stage, service in SERVICES.items()} == {
        "enhance": PromptEnhancerService,
        "image": ImageGeneratorService,
        "video": VideoGeneratorService,
    }
    assert set(FILES) == {type(service) for service in SERVICES.values()}
