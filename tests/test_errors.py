import pytest

from ganfill.errors import first_line, printable


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n  first\nsecond"), "first"),
        (ValueError(), "ValueError"),
        (OSError(" \n"), "OSError"),
        ("text", "text"),
    ],
)
def test_first_line_of_a_message_is_never_empty(error, line):
    assert first_line(error) == line


def test_control_characters_are_escaped():
    text = "a\tb\nc \x1b[31m\r\x9b2J\x7f\u202egnp é 😀\u200d"
    assert printable(text) == "a\tb\nc \\x1b[31m\\r\\x9b2J\\x7f\\u202egnp é 😀\u200d"
    assert printable("a\nb", lines=False) == "a\\nb"
    assert printable(ValueError("\0")) == "\\x00"
