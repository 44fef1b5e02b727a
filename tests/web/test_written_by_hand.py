"""What is written without Django's engine is what Django would write, to the letter."""

import pytest
from django.forms.renderers import DjangoTemplates
from django.template import engines
from django.template.backends.django import DjangoTemplates as Engine
from django.test import RequestFactory
from django.urls import NoReverseMatch
from django.utils import translation

from workflows.forms import MakeForm

EVIL = "\"'<b>&"
WORDS = (
    '{% load i18n %}{% translate "Gallery" %} {% translate "50 % off <b>" %} {% trans "Gallery" as x %}{{ x|upper }}'
)
PLACES = "{% url 'home' %} {% url 'credits:account' as x %}{{ x }} {% url view %} {% url 'nowhere' as y %}[{{ y }}]"


def written(form):
    choices = [radio.tag() for name in ("type", "aspect_ratio") for radio in form[name]]
    return [str(form[name]) for name in form.fields] + choices + [str(radio) for radio in form["type"]]


@pytest.mark.parametrize(
    "given", [{}, {"type": EVIL, "style": EVIL, "seed": EVIL, "video_model": EVIL, "enhance": "on"}]
)
def test_the_fields_of_the_box(db, alice, given):
    by_hand, by_django = (MakeForm(alice, given or None, renderer=each) for each in (None, DjangoTemplates()))
    by_django.fields["key"].initial = by_hand.fields["key"].initial
    assert written(by_hand) == written(by_django)


def rendered(template, language, **options):
    engine = (
        Engine({"NAME": "plain", "DIRS": [], "APP_DIRS": False, "OPTIONS": options}) if options else engines["django"]
    )
    with translation.override(language):
        return engine.from_string(template).render({"view": "tokens"}, RequestFactory().get("/"))


@pytest.mark.parametrize("template", [WORDS, PLACES])
def test_words_and_addresses_in_each_language(template):
    plain = [rendered(template, language, debug=False) for language in ("en", "fr")]
    assert [rendered(template, language) for language in ("en", "fr")] == plain
    assert template is PLACES or plain[0] != plain[1]


def test_words_that_are_known_in_one_language_are_not_said_in_another():
    template = engines["django"].from_string(WORDS)
    said = []
    for language in ("en", "fr", "en"):
        with translation.override(language):
            said.append(template.render())
    assert said[0] == said[2] != said[1]


def test_a_page_that_is_not_there_is_still_a_mistake():
    with pytest.raises(NoReverseMatch):
        rendered("{% url 'nowhere' %}", "en")
