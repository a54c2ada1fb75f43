import io
import math

import numpy as np
import pytest
from PIL import Image

from ganfill.report.plot_style import DPI, PANEL
from ganfill.report.png_curves import LINE, Line, curves, smooth


def _line(name="a", n=20, **more):
    kimg = np.arange(1.0, n + 1)
    return Line(name, {"kimg": kimg, "seconds": 60 * kimg, "fd_face": 100 / kimg} | more)


def _picture(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.array(image.convert("RGB"))


def _coloured(picture):
    return int((np.ptp(picture.astype(int), axis=-1) > 60).sum())


def test_two_panels_for_each_column_and_a_legend():
    picture = _picture(curves([_line()], ["fd_face", "kd_face"]))
    assert picture.shape == pytest.approx((DPI * (2 * PANEL[1] + LINE), DPI * 2 * PANEL[0], 3), abs=2)
    above, below = picture[: picture.shape[0] // 2 - 40], picture[picture.shape[0] // 2 : -60]
    left, right = np.array_split(above, 2, axis=1)
    assert _coloured(left) > 200 and _coloured(right) > 200
    assert _coloured(below) == 0  # nothing was measured


def test_lines_of_one_name_look_the_same_and_others_do_not():
    def colours(other):
        picture = _picture(curves([_line("a"), _line(other, fd_face=np.full(20, 50.0))], ["fd_face"]))
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
    assert _picture(curves([_line(**more), _line("single", n=1)], ["fd_face"])).any()


def test_no_lines_and_many():
    assert _coloured(_picture(curves([], ["fd_face"]))) == 0
    many = [_line(f"model=number{i}, loss=Something, regularizer.gamma={i}") for i in range(25)]
    assert _coloured(_picture(curves(many, ["fd_face"]))) > 1000


def test_the_same_lines_give_the_same_bytes():
    assert curves([_line()], ["fd_face"], 0.1) == curves([_line()], ["fd_face"], 0.1)


def test_means_of_a_neighbourhood():
    values = np.array([0.0, 0.0, 9.0, 0.0, 0.0])
    assert smooth(values, 0.4).tolist() == [0, 3, 3, 3, 0]
    assert smooth(values, 0).tolist() == values.tolist()
    assert smooth(np.full(50, 2.0), 0.2) == pytest.approx(np.full(50, 2.0))
