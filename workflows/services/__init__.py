"""The stages of the pipeline, one service each."""

from workflows.services.base import Service
from workflows.services.image_generator import ImageGeneratorService
from workflows.services.prompt_enhancer import PromptEnhancerService
from workflows.services.video_generator import VideoGeneratorService

SERVICES: dict[str, Service] = {
    service.stage: service for service in (PromptEnhancerService(), ImageGeneratorService(), VideoGeneratorService())
}
