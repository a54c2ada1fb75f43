import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ganfill.errors import UserError
from ganfill.runs import report

VOID = {"meta", "link", "img", "input"}


class Reader(HTMLParser):
    """The tags of a page, in order, and its text; complains about tags that are not closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def having(self, name):
        return [attrs for _, attrs in self.tags if name in attrs]

    def classed(self, name):
        return [attrs for _, attrs in self.tags if name in (attrs.get("class") or "").split()]


def _page(run):
    return Reader(report.page(report.read(run)))


def test_a_finished_training_tells_what_how_long_and_how_good(training):
    page = _page(training("first"))
    for said in (
        "Generator dcgan against discriminator dcgan_plus, 8 × 8 pixels, loss Relativistic, trained on data/faces: "
        "40 thousand images seen in 5 min 20 s. Best FD-face 40.0 after 20 thousand images, 44.0 at the end "
        "(features of the given network face).",
        "Mean PSNR of the completions made during the training: 20.00 dB in the hole.",
        "dcgan, 1,234,567 parameters",
        "regularizer none",
        "<b>Only & you</b>",
        "125 images/s (median)",
        "Some GPU × 2",
        "2 h 2 min, with samples, distances and checkpoints",
        "python 3.11.7 torch 2.14.1 commit abc1",
        "Samples: 5 of 5 moments, re-encoded as WebP; all are in samples/.",
    ):
        assert said in page.text
    assert "not finished" not in page.text and "Missing:" not in page.text and not page.classed("warnings")


def test_nothing_is_loaded_from_elsewhere_and_only_its_own_script_runs(training):
    text = report.page(report.read(training()))
    for tag, attrs in Reader(text).tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert (attrs.get(name) or "data:").startswith("data:"), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")]
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttpRequest|https?://", text)
    assert "default-src 'none'; img-src data:" in text and text.count("<script>") == 1


def test_the_slider_has_a_frame_for_each_moment_and_kind_and_shows_the_last_without_javascript(training):
    page = _page(training())
    samples, completions = page.classed("timeline")
    assert samples["data-moments"] == completions["data-moments"] == "0 10 20 30 40"
    frames = page.having("data-moment")
    pairs = [(frame["data-moment"], frame["data-kind"]) for frame in frames]
    both = [(str(moment), kind) for moment in range(5) for kind in ("averaged", "raw")]
    assert pairs == both + [(str(moment), "completed") for moment in range(5)]
    shown = [(frame["data-moment"], frame["data-kind"]) for frame in frames if "hidden" not in frame]
    assert shown == [("4", "averaged"), ("4", "completed")]
    sliders = [attrs for attrs in page.having("max") if attrs["type"] == "range"]
    assert [(slider["min"], slider["max"], slider["value"]) for slider in sliders] == [("0", "4", "4")] * 2
    assert all("hidden" in attrs for attrs in page.classed("controls"))
    for frame, (moment, kind) in zip(frames[:10], both, strict=True):
        with Image.open(io.BytesIO(base64.b64decode(frame["src"].partition(",")[2]))) as image:
            red = int(np.asarray(image)[10, 20, 0])
        assert abs(red - (10 * int(moment) if kind == "averaged" else 200 - 10 * int(moment))) < 6


def test_curves_are_those_of_the_files_and_have_their_values_at_the_moments(training):
    page = _page(training())
    charts = [attrs["aria-label"].split(" over ")[0] for attrs in page.having("viewbox")]
    assert charts == [
        *("Losses", "Logits", "Gradient norms", "Penalty", "Images per second", "FD-face", "KD-face", "Diversity"),
        *("PSNR hole", "L1 hole", "Score"),
    ]
    values = [attrs["data-values"].split() for attrs in page.classed("value")]
    assert all(len(its) == 5 for its in values)
    assert values[2] == ["2.00"] * 5 and values[3] == ["−2.00"] * 5
    assert values[8] == ["41.0", "41.0", "40.0", "41.0", "44.0"]  # FD-face
    assert values[11] == ["17.0", "17.0", "18.0", "19.0", "20.0"]  # the mean PSNR of two pictures
    assert "two sets of real pictures 0.875" in page.text and "two sets of real pictures −0.00100" in page.text


def test_all_distances_stand_in_a_table_with_their_floor(training):
    page = _page(training())
    assert "FD-face, KD-face, diversity of the averaged generator" in page.text
    assert "20 40.00 0.500 0.75" in page.text and "floor 0.88" in page.text
    assert [attrs["data-order"] for attrs in page.classed("best")] == ["40.0"]


def test_every_setting_is_there_to_be_found(training):
    page = _page(training())
    assert "12 settings" in page.text
    for said in ("model.generator.width 8", "loss._target_ ganfill.adversarial.losses.Relativistic", "seed 3"):
        assert said in page.text
    assert len(page.classed("filter")) == 1


def test_a_training_under_way_says_so_and_what_is_still_missing(training):
    page = _page(training(end=20))
    assert "This training is not finished: it is at 20 of 40 kimg, running or interrupted." in page.text
    assert "20 thousand images seen in 2 min 40 s" in page.text and "device not recorded" in page.text
    assert "Missing: versions, commit and the time of the whole command are written when a training ends." in page.text


def test_a_training_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("kimg: 4\n")
    page = _page(tmp_path)
    assert "This training has not started" in page.text and "no images seen yet" in page.text
    assert page.text.count("Missing:") == 5 and not page.classed("timeline") and not page.classed("chart")


def test_a_failed_training_tells_its_reason(training):
    run = training(end=10)
    (run / "failed.txt").write_text("the loss became NaN\nTraceback\n")
    assert "This training has failed: the loss became NaN." in _page(run).text


def test_damaged_files_are_named_and_nothing_else_is_lost(training):
    run = training()
    with (run / "metrics.csv").open("a") as file:
        file.write("41,0.1")
    (run / "distances.csv").write_text("images,fd_face\n1,2\n")
    with (run / "completions.csv").open("a") as file:
        file.write("50,face/0,much,30,0.1\n")
    (run / "samples/kimg000040_ema.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    (run / "distances_floor.json").write_text("{")
    (run / "summary.json").write_bytes(b"\xff{")
    page = _page(run)
    for said in (
        "metrics.csv: line 42 is cut off or not numeric, and left out",
        "distances.csv has no column kimg: it is left out",
        "completions.csv: line 10 is cut off or not numeric",
        "samples/kimg000040_ema.png cannot be read as a picture: it is left out",
        "distances_floor.json cannot be read",
        "summary.json cannot be read",
        "Missing: no distances were measured yet",
    ):
        assert said in page.text
    shown = [frame for frame in page.having("data-moment") if "hidden" not in frame]
    assert [(frame["data-moment"], frame["data-kind"]) for frame in shown] == [("4", "raw"), ("4", "completed")]


def test_what_went_wrong_stands_above_everything(training):
    run = training()
    text = (run / "metrics.csv").read_text().splitlines()
    lost = [",".join([*line.split(",")[:3], "9", "-9", "5", "1e-7", *line.split(",")[7:]]) for line in text[1:]]
    lost[29] = lost[29].replace("9,-9", "nan,-9")
    (run / "metrics.csv").write_text("\n".join([text[0], *lost, ""]))
    (run / "train.log").write_text("".join(f"line {i}\n\n" for i in range(25)))
    page = _page(run)
    assert "at 5 kimg the discriminator is sure of every fake" in page.text
    assert "logit_real is not finite in 1 of 40 rows, first at 30 kimg" in page.text
    assert "train.log: line 19" in page.text and "line 20" not in page.text and "5 more lines" in page.text
    assert page.text.index("Warnings") < page.text.index("Samples")


def test_a_long_training_keeps_its_page_small(training):
    run = training()
    noise = np.random.default_rng(0).integers(0, 256, (40, 120, 160, 3), np.uint8)
    for i, picture in enumerate(noise):
        Image.fromarray(picture).save(run / f"samples/kimg{100 + i:06d}_ema.png", compress_level=1)
    page = _page(run)
    moments = page.classed("timeline")[0]["data-moments"].split()
    assert 10 < len(moments) <= 16 and moments[0] == "0" and moments[-1] == "139"
    assert f"Samples: {len(moments)} of 45 moments" in page.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", r"run=\S+nowhere is not a directory: give the out directory of a ganfill train"),
        ("empty", r"run=\S+empty holds no training: give .*ganfill leaderboard compares"),
        ("encoder", r"run=\S+encoder holds the training of an encoder"),
        ("inpainter", r"run=\S+inpainter holds the training of an inpainter"),
    ],
)
def test_what_is_no_training_is_refused(name, message, tmp_path):
    (tmp_path / "empty").mkdir()
    for part in ("encoder", "inpainter"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.yaml").write_text(f"{part}: {{width: 4}}\n")
    with pytest.raises(UserError, match=message):
        report.read(tmp_path / name)
