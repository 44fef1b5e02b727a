"""What the three services have in common: a stage of the pipeline and the place for its rules.

A service is pure: it says whether options fit a model, what that costs, what to ask the provider and what to keep of
the answer. `pipeline.py` does the moving.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from providers import catalog
from providers.base import Job, JobRequest, Kind, Output, Picture, ProviderError, Reason
from workflows.prompts import InvalidInput

Options = dict[str, Any]
Offer = Sequence[catalog.Model] | None


class Service:
    """One stage. Subclasses say which kind of model it takes and which options it understands."""

    stage: ClassVar[str]
    kind: ClassVar[Kind]
    model_option: ClassVar[str]

    def model(self, options: Mapping[str, Any], among: Offer = None) -> catalog.Model:
        """The model that does this stage with these options; raises InvalidInput for one not on offer.

        `among` are the models on offer; without it, all that live.
        """
        wish = options.get(self.model_option, catalog.AUTO)
        try:
            return catalog.choose(self.kind, wish, among=among, needs=options)
        except catalog.UnknownModel as error:
            kind = [model for model in (catalog.live() if among is None else among) if model.kind == self.kind]
            offered = ", ".join([catalog.AUTO, *(model.slug for model in kind)])
            raise InvalidInput(
                {self.model_option: _("There is no such model. Choose one of: %(models)s.") % {"models": offered}}
            ) from error

    def validate(self, options: Mapping[str, Any], among: Offer = None) -> Options:
        """This stage's options checked against its model, defaults filled in; raises InvalidInput."""
        raise NotImplementedError

    def price(self, options: Mapping[str, Any], among: Offer = None) -> int:
        """Credits for this stage, given options that `validate` returned."""
        raise NotImplementedError

    def ask(
        self,
        model: str,
        prompt: str,
        options: Mapping[str, Any],
        reference: str,
        image: Picture | None = None,
    ) -> JobRequest:
        """What to ask the provider."""
        return JobRequest(self.kind, model, prompt, options, reference, image)

    def keep(self, job: Job) -> Output:
        """The one output of a finished job that we keep; raises ProviderError(BAD_OUTPUT) when there is none."""
        if not job.outputs:
            raise ProviderError(Reason.BAD_OUTPUT, "the job succeeded and has no output")
        return job.outputs[0]


def one_of(options: Mapping[str, Any], name: str, possible: tuple[Any, ...], default: Any) -> Any:
    """The option's value, refused unless the model can do it; the default must be possible too."""
    value = options.get(name, default if default in possible else possible[0])
    if isinstance(value, bool) or value not in possible:
        raise InvalidInput(
            {name: _("This model cannot do %(value)s. Choose one of: %(possible)s.")
             % {"value": repr(value)[:40], "possible": ", ".join(map(str, possible))}}
        )  # fmt: skip
    return possible[possible.index(value)]  # 5.0 is 5, and only a whole number can be priced


def whole_number(options: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """The option as a whole number within bounds, None when it isn't there."""
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidInput(
            {name: _("This must be a whole number from %(low)d to %(high)d.") % {"low": low, "high": high}}
        )
    return value
