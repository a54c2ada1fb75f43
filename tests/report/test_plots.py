import io
import math
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from ganfill.report.plot_style import DPI, LEGEND_ROW, PANEL, SINGLE
from ganfill.report.plots import (
    RunCurve,
    bin_means,
    quality_against_share,
    quality_against_time,
    smooth,
    sweep_curves,
)


def _row(search="fast", mask="center", psnr=17.0, seconds=0.5, **more):
    return {"search": search, "mask": mask, "psnr": psnr, "seconds": seconds, **more}


def _picture(png):
    assert png.startswith(b"\x89PNG")
    with Image.open(io.BytesIO(png)) as image:
        return np.array(image.convert("RGB"))


def _coloured(picture):
    """How many pixels are neither grey nor nearly so."""
    return int((np.ptp(picture.astype(int), axis=-1) > 60).sum())


@pytest.mark.parametrize("masks", [1, 3])
def test_a_panel_for_each_kind_of_hole(masks):
    picture = _picture(quality_against_time([_row(mask=f"kind {i}") for i in range(masks)]))
    width, height = SINGLE if masks == 1 else (2 * PANEL[0], math.ceil(masks / 2) * PANEL[1])
    assert picture.shape == pytest.approx(((height + LEGEND_ROW) * DPI, width * DPI, 3), abs=1)
    assert (picture[0, 0] == 255).all()
    assert _coloured(picture) >= masks * 100


def test_intervals_are_drawn():
    plain, barred = (_picture(quality_against_time([_row(psnr_low=low, psnr_high=18.0)])) for low in (math.nan, 16.0))
    assert _coloured(barred) > _coloured(plain) + 100


def test_what_was_not_measured_is_left_out_and_what_has_no_time_is_a_level():
    unknown = [_row("nearest", psnr=None), _row("telea", psnr=math.nan), _row("biharmonic", psnr="")]
    levels = [_row("mean", seconds=0.0), _row("nearest", psnr=15.0, seconds=None)]
    levels = _picture(quality_against_time([*levels, *unknown]))
    assert _coloured(levels) == 0 and (levels < 150).any()


@pytest.mark.parametrize("rows", [[], [{"search": "fast", "mask": "center"}]])
def test_with_nothing_measured_there_is_a_plot_that_says_so(rows):
    picture = _picture(quality_against_time(rows))
    middle = picture[picture.shape[0] // 3 : -picture.shape[0] // 3, picture.shape[1] // 3 : -picture.shape[1] // 3]
    assert _coloured(picture) == 0 and (middle < 150).any()


def test_many_searches_in_one_place():
    rows = [
        _row(f"search number {i}", psnr=17 + i / 50, seconds=1 + i / 20, psnr_low=16.0, psnr_high=18) for i in range(30)
    ]
    assert _coloured(_picture(quality_against_time(rows))) > 30 * 100


def test_times_from_microseconds_to_hours():
    assert _coloured(_picture(quality_against_time([_row("a", seconds=2e-6), _row("b", seconds=9000)]))) > 200


def test_quality_against_share_shows_each_search():
    rng = np.random.default_rng(0)
    points = {name: [(share, 20 - 5 * share) for share in rng.random(40)] for name in ("fast", "standard", "thorough")}
    three = _picture(quality_against_share(points))
    assert three.shape == pytest.approx(((SINGLE[1] + LEGEND_ROW) * DPI, SINGLE[0] * DPI, 3), abs=1)
    assert _coloured(three) > _coloured(_picture(quality_against_share({"fast": points["fast"]}))) > 100


def test_shares_without_a_finite_quality_are_left_out():
    good = [(0.1, 20.0), (0.5, 15.0)]
    assert quality_against_share({"a": [*good, (0.3, math.inf), (0.2, math.nan)]}) == quality_against_share({"a": good})
    empty = _picture(quality_against_share({"a": [(0.3, math.inf)], "b": []}))
    assert _coloured(empty) == 0 and (empty < 150).any()


def test_one_picture_and_many_searches_of_one_share():
    assert _coloured(_picture(quality_against_share({"a": [(0.25, 17.0)]}))) > 50
    crowd = {f"search number {i}": [(0.25, 17 + i / 100)] * 3 for i in range(20)}
    assert _coloured(_picture(quality_against_share(crowd))) > 500


def test_bins_hold_means_and_empty_bins_are_none():
    points = np.array([[0.0, 1.0], [0.1, 3.0], [1.0, 7.0]])
    assert bin_means(points, np.linspace(0, 1, 5)) == pytest.approx(np.array([[0.05, 2.0], [1.0, 7.0]]))
    assert bin_means(points[:1], np.zeros(5)) == pytest.approx(points[:1])


def test_the_settings_of_pyplot_stay_as_they_are():
    before, loaded = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    one, other = quality_against_time([_row()]), quality_against_share({"a": [(0.25, 17.0)]})
    assert dict(matplotlib.rcParams) == before and ("matplotlib.pyplot" in sys.modules) == loaded
    assert quality_against_time([_row()]) == one and one != other


def _line(name="a", n=20, **more):
    kimg = np.arange(1.0, n + 1)
    return RunCurve(name, {"kimg": kimg, "seconds": 60 * kimg, "fd_face": 100 / kimg} | more)


def test_two_panels_for_each_column_and_a_legend():
    picture = _picture(sweep_curves([_line()], ["fd_face", "kd_face"]))
    assert picture.shape == pytest.approx((DPI * (2 * PANEL[1] + LEGEND_ROW), DPI * 2 * PANEL[0], 3), abs=2)
    above, below = picture[: picture.shape[0] // 2 - 40], picture[picture.shape[0] // 2 : -60]
    left, right = np.array_split(above, 2, axis=1)
    assert _coloured(left) > 200 and _coloured(right) > 200
    assert _coloured(below) == 0  # nothing was measured


def test_lines_of_one_name_look_the_same_and_others_do_not():
    def colours(other):
        picture = _picture(sweep_curves([_line("a"), _line(other, fd_face=np.full(20, 50.0))], ["fd_face"]))
        return [(picture == colour).all(-1).sum() > 300 for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0))]

    assert colours("a") == [True, False]
    assert colours("b") == [True, True]


@pytest.mark.parametrize(
    "more",
    [
        {"seconds": np.full(20, math.nan)},
        {"fd_face": np.full(20, math.nan)},
        {"fd_face": np.where(np.arange(20) % 3, np.inf, -5.0)},
        {"fd_face": np.linspace(-1, 1, 20) ** 9 * 1e6},
        {"fd_face": np.zeros(20)},
    ],
)
def test_odd_values_make_a_plot_without_a_warning(more):
    assert _picture(sweep_curves([_line(**more), _line("single", n=1)], ["fd_face"])).any()


def test_no_lines_and_many():
    assert _coloured(_picture(sweep_curves([], ["fd_face"]))) == 0
    many = [_line(f"model=number{i}, loss=Something, regularizer.gamma={i}") for i in range(25)]
    assert _coloured(_picture(sweep_curves(many, ["fd_face"]))) > 1000


def test_the_same_lines_give_the_same_bytes():
    assert sweep_curves([_line()], ["fd_face"], 0.1) == sweep_curves([_line()], ["fd_face"], 0.1)


def test_means_of_a_neighbourhood():
    values = np.array([0.0, 0.0, 9.0, 0.0, 0.0])
    assert smooth(values, 0.4).tolist() == [0, 3, 3, 3, 0]
    assert smooth(values, 0).tolist() == values.tolist()
    assert smooth(np.full(50, 2.0), 0.2) == pytest.approx(np.full(50, 2.0))
