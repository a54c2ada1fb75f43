from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from ganfill.hydra_application import in_hydras_grammar
from ganfill.overrides import quote, split_options


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="$")))
def test_any_file_name_is_quoted_for_hydra(text):
    parsed = OverridesParser.create().parse_override(quote(f"run={text}.d"))
    assert parsed.value() == f"{text}.d"


def test_a_word_that_hydra_cannot_read_is_quoted_for_a_sweep():
    assert in_hydras_grammar("search=standard:steps=16") == 'search="standard:steps=16"'
    for word in ("-m", "--config-name=search", "seed=0,1", "search=[mean,telea]", "out='a=${seed}'", "+new=1"):
        assert in_hydras_grammar(word) == word


def test_options_of_hydra_come_before_settings():
    words = ["seed=0", "-cn", "losses", "search=a:b=c", "-m"]
    options, settings = split_options(words)
    assert options == ["-cn", "losses", "-m"]
    assert [in_hydras_grammar(word) for word in settings] == ["seed=0", 'search="a:b=c"']
