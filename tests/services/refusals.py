"""How a service says no: by field, in a sentence."""

from collections.abc import Mapping
from contextlib import contextmanager

import pytest

from workflows.prompts import InvalidInput


@contextmanager
def refused(sentences: Mapping[str, str]):
    """What happens inside is refused with these sentences by field, and no others."""
    with pytest.raises(InvalidInput) as refusal:
        yield
    assert refusal.value.errors == sentences
