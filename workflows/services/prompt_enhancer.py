"""Words: a sentence becomes a shot description."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from providers.base import Job, Kind, Output, ProviderError, Reason
from workflows import prompts
from workflows.prompts import InvalidInput
from workflows.services.base import Offer, Options, Service

STYLE_LIMIT = 200  # characters


class PromptEnhancerService(Service):
    """Asks a text model to describe the shot: subject, setting, light, lens, camera move."""

    stage: ClassVar[str] = "enhance"
    kind: ClassVar[Kind] = Kind.TEXT
    model_option: ClassVar[str] = "text_model"

    def validate(self, options: Mapping[str, Any], among: Offer = None) -> Options:
        """`enhance` must be true or false, `style` a short text; raises InvalidInput."""
        enhance = options.get("enhance", True)
        if not isinstance(enhance, bool):
            raise InvalidInput({"enhance": _("This must be true or false.")})
        style = options.get("style", "")
        if not isinstance(style, str) or style.strip():
            style = prompts.clean(style, field="style", limit=STYLE_LIMIT)
        return {"enhance": enhance, "style": style.strip(), "text_model": self.model(options, among).slug}

    def price(self, options: Mapping[str, Any], among: Offer = None) -> int:
        """Credits for one improved prompt."""
        return self.model(options, among).cost()

    def keep(self, job: Job) -> Output:
        """The improved prompt, cleaned like any other; raises ProviderError(BAD_OUTPUT) for words we can't use."""
        output = super().keep(job)
        try:
            return Output(text=prompts.clean(output.text[: prompts.LIMIT]))
        except InvalidInput as error:
            raise ProviderError(Reason.BAD_OUTPUT, f"unusable words: {error}") from error
