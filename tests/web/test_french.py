"""Every sentence has its French, and what is shipped compiled says the same as what people edit."""

import gettext
import re
from pathlib import Path

from django.conf import settings

FRENCH = Path(settings.LOCALE_PATHS[0]) / "fr" / "LC_MESSAGES"
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def sentences():
    """The English and French of each entry of the source file; of plurals the first form."""
    for entry in (FRENCH / "django.po").read_text().split("\n\n")[1:]:
        english, _, french = entry.partition("\nmsgstr")
        texts = (
            "".join(QUOTED.findall(part)) for part in (english.split("msgid_plural")[0], french.split("msgstr[1]")[0])
        )
        yield tuple(text.replace('\\"', '"').replace("\\\\", "\\") for text in texts)


def test_no_sentence_is_left_in_english():
    assert [english for english, french in sentences() if not french] == []


def test_what_is_compiled_is_what_was_written():
    with open(FRENCH / "django.mo", "rb") as file:
        compiled = gettext.GNUTranslations(file)
    for english, french in sentences():
        assert french in (compiled.gettext(english), compiled.ngettext(english, english, 1))


def test_each_blank_to_fill_in_is_there_in_french_too():
    blanks = re.compile(r"%\(\w+\)[sd]")
    for english, french in sentences():
        assert set(blanks.findall(english)) == set(blanks.findall(french)), english
