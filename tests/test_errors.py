import pytest

from ganfill.errors import first_line


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
