from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from ganfill.config import build, compose, keys, to_plain
from ganfill.config_files import commands, options
from ganfill.config_help import help_text
from ganfill.errors import UserError

ROOT = Path(__file__).parents[1]
NEEDED = {
    "app": [],
    "train": ["out=o"],
    "train-encoder": ["data.path=d", "model=m", "out=o"],
    "train-inpainter": ["data.path=d", "model=m", "out=o"],
    "train-upsampler": ["data.path=d", "model=m", "out=o"],
    "prepare": ["source=s", "out=o"],
    "export": ["run=r", "out=o"],
    "generate": ["out=o"],
    "import": ["file=f", "out=o"],
    "info": ["file=f"],
    "leaderboard": ["runs=r"],
    "report": ["run=r"],
    "complete": ["images=i", "mask=m", "out=o"],
    "evaluate": ["data.path=d"],
    "publish": ["model=m", "repo=o/n"],
}
GROUPS = [(path.parent.name, path.stem) for path in sorted((ROOT / "conf").glob("*/*.yaml"))]


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "x=y",
        "[z",
        "it's",
        'say "hi"',
        "back\\slash",
        "end\\",
        'q\\"',
        "Größe",
        "${oc.env:HOME}",
        "a]b{c}",
        "~/x",
        "#h",
        "a:b",
        "%",
    ],
)
def test_a_typed_text_arrives_as_it_is(text):
    assert compose("export", [f"run={text}", "out=o"]).run == text


def test_numbers_and_the_like_are_typed():
    config = compose("train", ["out=o", "kimg=1e-1", "seed=3", "optimizer.generator.betas=[0.0,0.99]"])
    assert config.kimg == 0.1 and config.seed == 3
    assert config.optimizer.generator.betas == [0.0, 0.99]


def test_commas_make_lists_unless_a_file_is_named_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").mkdir()
    assert compose("complete", ["images=c,d", "mask=m", "out=o"]).images == ["c", "d"]
    assert compose("complete", ["images=a,b", "mask=m", "out=o"]).images == "a,b"


def test_a_key_that_is_a_group_of_another_command_is_plain_text():
    assert compose("complete", ["images=i", "mask=m", "model=my models/${x}, 1"]).model == "my models/${x}, 1"


def test_searches_of_evaluate_are_words_and_no_option_of_completes_group():
    words = ["data.path=d", "search=standard:steps=16,yeh2017", "model=my model.safetensors", "mask=center,random"]
    config = compose("evaluate", words)
    assert config.search == "standard:steps=16,yeh2017" and config.model == "my model.safetensors"
    assert config.mask == ["center", "random"]


def test_given_values_arrive_as_they_are():
    paths = ["a,b", "c d", "${e}", '"f"']
    config = compose("complete", ["mask=m"], {"images": paths})
    assert to_plain(config)["images"] == paths


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["losss=x"], "losss is not a key of ganfill train: did you mean loss?"),
        (["loss=minmax"], "loss=minmax is not known: did you mean minimax?"),
        (["lr=3"], "optimizer.generator.lr"),
        (["learning_rate=3"], "optimizer.generator.lr"),
        (["experiment=studnt"], "did you mean student?"),
        (["kimg=abc"], "kimg must be a number above 0, got abc"),
        (["experiment=null"], "must be a string"),
        (["kimg"], "not key=value, nor a file that this command takes"),
    ],
)
def test_mistakes_get_one_line_with_the_nearest_words(words, message):
    with pytest.raises(UserError) as caught:
        compose("train", ["out=o", *words])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_keys_are_named():
    with pytest.raises(UserError, match=r"train needs out=\.\.\."):
        compose("train")


@pytest.mark.parametrize("command", commands())
def test_every_command_composes_and_its_help_names_its_keys_and_two_examples(command):
    config = to_plain(compose(command, NEEDED[command]))
    text = help_text(command)
    assert text.count(f"\n  ganfill {command}") >= 2
    own = yaml.safe_load((ROOT / f"conf/{command}.yaml").read_text())
    named = [key for key in own if key not in ("defaults", "hydra", "gan")]
    assert not [key for key in named if f"\n  {key}" not in text]
    assert config


@pytest.mark.parametrize(
    ("group", "option"), [pair for pair in GROUPS if pair[0] not in ("search", "blend", "experiment")]
)
def test_every_option_of_train_builds(group, option):
    words = [
        "out=o",
        f"{group}={option}",
        "resolution=32",
        *(["data.path=p"] if (group, option) == ("data", "folder") else []),
    ]
    config = compose("train", words)
    for node in (config.model.generator, config.model.discriminator, config.latent, config.loss, config.data):
        assert build(node) is not None
    assert callable(build(config.optimizer.generator))


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes(experiment):
    assert compose("train", ["out=o", f"experiment={experiment}"]).kimg > 0


def test_foreign_targets_are_refused_at_any_depth():
    inner = [{"_target_": "os.system", "command": "true"}]
    node = OmegaConf.create({"_target_": "ganfill.models.latent.Normal", "dim": {"a": inner}})
    with pytest.raises(UserError, match=r"_target_=os\.system is refused"):
        build(node)


def test_wrong_arguments_name_the_part():
    with pytest.raises(UserError, match=r"ganfill\.models\.latent\.Normal cannot be built.*unexpected"):
        build(OmegaConf.create({"_target_": "ganfill.models.latent.Normal", "size": 3}))


def test_a_cause_without_a_text_is_named_by_its_type(monkeypatch):
    def silent(self, dim):
        raise AssertionError

    monkeypatch.setattr("ganfill.models.latent.Normal.__init__", silent)
    with pytest.raises(UserError, match=r"Normal cannot be built with these settings: AssertionError$"):
        build({"_target_": "ganfill.models.latent.Normal", "dim": 3})


def test_keys_are_dotted():
    assert {"kimg", "loss", "optimizer.generator.lr"} <= set(keys("train"))
