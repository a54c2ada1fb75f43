import pytest

from ganfill.benchmark.baselines import BASELINES, Baseline
from ganfill.benchmark.search_entry import parse_search
from ganfill.errors import UserError
from ganfill.images.blend import Paste
from ganfill.model_io import model_file
from ganfill.search.presets import PRESETS
from ganfill.search.published import PublishedSearch


@pytest.mark.parametrize("name", [*PRESETS, *BASELINES])
def test_every_preset_and_baseline_has_its_name(name):
    found = parse_search(name, None)
    assert found is not None and found.word == found.settings["search"] == name


def test_settings_arrive():
    found = parse_search("yeh2017:steps=16:rate=1:blend=paste:precision=fp32", None)
    assert found is not None and isinstance(found.search, PublishedSearch)
    assert found.search.steps == 16 and found.search.rate == 1
    assert found.search.blend == Paste() and found.search.precision == "fp32"


def test_a_default_written_out_is_the_same_search():
    written, bare = parse_search("amos2016:steps=1000", None), parse_search("amos2016", None)
    assert written is not None and bare is not None and written.settings == bare.settings
    other = parse_search("amos2016:steps=999", None)
    assert other is not None and other.settings != bare.settings


def test_nearest_is_there_if_training_pictures_are():
    assert parse_search("nearest", None) is None
    found = parse_search("nearest", BASELINES["mean"])
    assert found is not None and found.search is BASELINES["mean"]


def test_unet_is_the_inpainter_of_a_file_of_its_own(feed_forward, tmp_path):
    file = tmp_path / "unet.safetensors"
    digest = model_file.save(file, feed_forward)
    found = parse_search(f"unet:model={file}", None)
    assert found is not None and found.settings == {"search": "unet", "model": digest}
    assert found.word == f"unet:model={file}" and isinstance(found.search, Baseline)


def test_unet_refuses_an_inpainter_that_needs_a_guess(model_with_encoder, tmp_path):
    file = tmp_path / "model.safetensors"
    model_file.save(file, model_with_encoder)
    with pytest.raises(UserError, match=r"search=unet:model=.*no feed-forward inpainter: train one with"):
        parse_search(f"unet:model={file}", None)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("standart", "search=standart: there is no standart: choose from fast, standard"),
        ("standard:step=3", "search=standard:step=3: step=3 is not a setting, write key=value with one of steps"),
        ("standard:steps", "steps is not a setting"),
        ("standard:steps=few", "steps=few cannot be used, the default is steps=200"),
        ("standard:steps=1.5", "steps=1.5 cannot be used"),
        ("standard:steps=true", "steps=true cannot be used"),
        ("standard:blend=glue", "blend=glue is not known: use paste"),
        ("standard:window=4", "an odd window"),
        ("telea:radius=3", "telea has no settings, write search=telea"),
        ("nearest:k=3", "nearest has no settings"),
        ("unet", "search=unet: write search=unet:model=FILE"),
        ("unet:model=", "write search=unet:model=FILE"),
        ("unet:steps=3", "write search=unet:model=FILE"),
        ("unet:model=nothing.safetensors", "model=nothing.safetensors: no such file"),
        ("", "there is no : choose"),
    ],
)
def test_a_mistake_is_reported(word, message):
    with pytest.raises(UserError) as caught:
        parse_search(word, None)
    assert message in str(caught.value)
