import math

import numpy as np
import pytest

from ganfill.report.table_format import (
    Heading,
    decimals,
    digits,
    duration,
    format_column,
    heading,
    main_columns,
    number,
    plain_time,
)


@pytest.mark.parametrize(
    ("column", "label", "unit", "better"),
    [
        ("psnr", "PSNR", "dB", 1),
        ("psnr_best_of_k", "PSNR best of k", "dB", 1),
        ("l1", "L1", "", -1),
        ("fd_face", "FD-face", "", -1),
        ("l2_face", "L2-face", "", -1),
        ("kd_my_net", "KD-my_net", "", -1),
        ("floor_fd_face", "floor FD-face", "", 0),
        ("fd_face_floor", "FD-face floor", "", 0),
        ("fd_face_best", "FD-face best", "", -1),
        ("kd_my_net_last", "KD-my_net last", "", -1),
        ("fd_face_best_at", "FD-face best at", "kimg", 0),
        ("rank_correlation", "rank correlation", "", 1),
        ("seconds_single", "time single", "", 0),
        ("diversity", "diversity", "", 0),
        ("search", "search", "", 0),
    ],
)
def test_columns_are_worded_and_say_which_way_is_better(column, label, unit, better):
    assert heading(column) == Heading(column, label, unit, better)


@pytest.mark.parametrize("value", [None, "", "3.5", True, math.nan, math.inf, -math.inf, [1.0]])
def test_what_is_no_finite_number_is_none(value):
    assert number(value) is None


@pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3)])
def test_numbers_of_any_kind_are_numbers(value):
    assert number(value) == 3.0


def test_an_interval_has_no_column_of_its_own_but_a_stray_end_has():
    assert main_columns(["search", "psnr", "psnr_low", "psnr_high", "ssim"]) == ["search", "psnr", "ssim"]
    assert main_columns(["psnr", "psnr_low", "too_low"]) == ["psnr", "psnr_low", "too_low"]
    assert main_columns(["fd_face", "fd_face_sd", "a_sd"]) == ["fd_face", "a_sd"]


def test_a_deviation_stands_beneath_its_mean():
    made = format_column("fd_face", [{"fd_face": 11.25, "fd_face_sd": 0.00125}, {"fd_face": 9.0}], ["", ""])
    assert [(cell.text, cell.interval, cell.best) for cell in made] == [
        ("11.25", "± 0.00125", False),
        ("9.00", "", True),
    ]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([14.638, 21.9412], 2),
        ([0.6612, 0.7123], 3),
        ([0.03481, 0.0291], 4),
        ([312.41, 400.0], 1),
        ([8.3, 8.3], 1),
        ([1, 1500], 0),
        ([40000.4], 0),
        ([0.0001, 3.2], None),
        ([], 0),
        ([0.0], 0),
        ([1e-12, 2e-12], None),
    ],
)
def test_a_column_has_the_decimals_that_suit_it(values, places):
    assert decimals(values) == places


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (12345.6, 1, "12,345.6"),
        (-0.25, 2, "−0.25"),
        (0.000123456, None, "0.000123"),
        (3.14159, None, "3.14"),
        (0, None, "0"),
        (12345.6, None, "12,346"),
    ],
)
def test_numbers_are_written_plainly(value, places, text):
    assert digits(value, places) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (2.5e-6, "2.5 µs"),
        (0.00123456, "1.23 ms"),
        (0.0200, "20 ms"),
        (0.9996, "1 s"),
        (3.14159, "3.14 s"),
        (100, "100 s"),
        (2000, "2,000 s"),
        (123456, "123,000 s"),
    ],
)
def test_times_have_plain_units(seconds, text):
    assert plain_time(seconds) == text


def test_the_best_of_each_group_is_marked_and_ties_as_shown_are_both():
    rows = [{"psnr": 17.001}, {"psnr": 17.002}, {"psnr": 16.5}, {"psnr": 21.25}, {"psnr": None}]
    marked = [cell.best for cell in format_column("psnr", rows, ["a", "a", "a", "b", "b"])]
    assert marked == [True, True, False, False, False]
    assert [cell.best for cell in format_column("psnr", rows, [None] * 5)] == [False] * 5
    assert [cell.best for cell in format_column("l1", [{"l1": 0.2}, {"l1": 0.1}], ["", ""])] == [False, True]
    assert not any(cell.best for cell in format_column("diversity", [{"diversity": 1}, {"diversity": 2}], ["", ""]))


def test_cells_have_intervals_and_what_is_missing_is_a_dash():
    rows = [{"psnr": 17.123, "psnr_low": 16.5, "psnr_high": 18.0}, {"psnr": math.nan}, {}, {"psnr": "skipped"}]
    first, *others = format_column("psnr", rows, [""] * 4)
    assert (first.text, first.interval, first.order) == ("17.12", "16.50 to 18.00", 17.123)
    assert [(cell.text, cell.order) for cell in others] == [("–", None), ("–", None), ("skipped", None)]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.02, "20 ms"), (59.0, "59 s"), (60, "1 min"), (150.07, "2 min 30 s"), (3599.7, "1 h"), (7305.3, "2 h 2 min")],
)
def test_long_times_are_written_in_hours_and_minutes(seconds, text):
    assert duration(seconds) == text
