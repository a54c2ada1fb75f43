import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ganfill.errors import UserError
from ganfill.optuna_space import distribution, examples

optuna = pytest.importorskip("optuna", reason="sweeper=optuna needs optuna, in the extra sweep")
D = optuna.distributions


def parsed(word):
    return distribution(OverridesParser.create().parse_override(word))


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("loss=hinge,minimax", D.CategoricalDistribution(["hinge", "minimax"])),
        ("a=choice(1,2.5,x)", D.CategoricalDistribution(["1", "2.5", "x"])),
        ("a=interval(1,5)", D.FloatDistribution(1, 5)),
        ("a=int(interval(1,5))", D.IntDistribution(1, 5)),
        ("a=tag(log,interval(0.01,1))", D.FloatDistribution(0.01, 1, log=True)),
        ("a=tag(log,int(interval(8,64)))", D.IntDistribution(8, 64, log=True)),
        ("a=range(1,8,2)", D.IntDistribution(1, 7, step=2)),
        ("a=range(8,1,-2)", D.IntDistribution(2, 8, step=2)),
        ("a=range(0.25,1,0.25)", D.FloatDistribution(0.25, 0.75, step=0.25)),
    ],
)
def test_the_grammar_of_hydra_describes_distributions(word, expected):
    assert parsed(word) == expected


@pytest.mark.parametrize(
    "word", ["a=tag(log,interval(0,1))", "a=interval(2,1)", "a=range(3,3)", "a=tag(log,range(1,9,2))"]
)
def test_a_range_that_cannot_be_drawn_from_is_refused(word):
    with pytest.raises(UserError, match="is not a range to draw from"):
        parsed(word)


def test_examples_contain_every_choice_and_both_ends():
    space = {"loss": parsed("loss=hinge,minimax,wgan"), "lr": parsed("lr=interval(0.1,0.2)")}
    found = list(examples(space))
    assert found == [
        {"loss": "hinge", "lr": 0.1},
        {"loss": "minimax", "lr": 0.1},
        {"loss": "wgan", "lr": 0.1},
        {"loss": "hinge", "lr": 0.2},
    ]
