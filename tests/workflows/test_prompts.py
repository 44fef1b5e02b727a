"""What may be written into the box, and what may not."""

import pytest

from workflows.prompts import InvalidInput, clean


def refusal(prompt, **how):
    with pytest.raises(InvalidInput) as error:
        clean(prompt, **how)
    return error.value.errors


@pytest.mark.parametrize(
    "prompt",
    [
        "a fox in the snow",
        "x",
        "x" * 2000,
        "two\nlines\tand a tab",
        "ثعلب في الثلج عند الغروب",
        "שועל בשלג עם \u200fסימן כיוון",  # noqa: RUF001
        "雪の中の狐",
        "🦊❄️ 👩‍🚀 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "نیم‌فاصله",
        "cafe\u0301",
        "<script>alert(1)</script> '; DROP TABLE users; --",
        "{{ 7 * 7 }} %s {0}",
    ],
    ids=lambda prompt: ascii(prompt)[:24],
)
def test_it_takes_any_language_and_any_sign_as_it_is(prompt):
    assert clean(prompt) == prompt


@pytest.mark.parametrize(
    ("prompt", "cleaned"), [("  a fox \n", "a fox"), ("a\r\nfox", "a\nfox"), ("\u3000a fox\u00a0", "a fox")]
)
def test_it_takes_off_outer_blanks_and_odd_line_ends(prompt, cleaned):
    assert clean(prompt) == cleaned


def test_the_length_is_what_is_left_without_outer_blanks():
    assert clean(" " * 5000 + "x" * 2000) == "x" * 2000


@pytest.mark.parametrize("prompt", [None, 7, 1.5, True, b"a fox", ["a fox"], {"text": "a fox"}], ids=repr)
def test_it_refuses_what_is_no_text(prompt):
    assert refusal(prompt) == {"prompt": "This must be text."}


@pytest.mark.parametrize(
    "prompt", ["", " ", "\n\t \r\n", "\u3000\u00a0", "\u200b", "\u200e \u200f\ufeff", "\u2060\u00ad"], ids=ascii
)
def test_it_refuses_what_shows_nothing(prompt):
    assert refusal(prompt) == {"prompt": "Write what you want to see."}


@pytest.mark.parametrize("length", [2001, 10_000])
def test_it_refuses_what_is_too_long(length):
    assert refusal("x" * length) == {"prompt": f"This is {length} characters long; at most 2000 are possible."}


@pytest.mark.parametrize(
    "hidden",
    [
        *("\x00", "\x07", "\x1b", "\x7f", "\x85", "\x0b", "\ud800"),
        *("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"),
    ],
    ids=ascii,
)
def test_it_refuses_control_characters_and_overrides_of_the_direction(hidden):
    assert refusal(f"a {hidden}fox") == {"prompt": "Character 3 is an invisible control character; take it out."}


def test_it_names_the_field_and_keeps_to_its_limit():
    assert refusal("x" * 11, field="style", limit=10) == {
        "style": "This is 11 characters long; at most 10 are possible."
    }
