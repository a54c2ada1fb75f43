import io

import numpy as np
import pytest
from PIL import Image

from ganfill.runs.timeline import LONGEST, fit_budget, open_timeline, pick

KINDS = {"ema": "averaged", "raw": "raw"}


def _sheet(path, shade=0, size=(12, 8)):
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (shade, 0, 0)).save(path)


def _open(directory, problems=None, kinds=KINDS, budget=10**6):
    return open_timeline("Samples", directory, kinds, budget, [] if problems is None else problems)


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 76, 5000])
def test_the_first_and_the_last_and_more_of_the_early_moments_are_kept(count):
    kept = pick(count, 16)
    assert len(kept) == min(count, 16) or 8 < len(kept) < 16
    assert kept[0] == 0 and kept[-1] == count - 1 and kept == sorted(set(kept))
    assert np.diff(kept, 2).min(initial=0) >= -1


def test_both_kinds_of_every_moment_in_their_order(tmp_path):
    for kimg in (0, 10, 120):
        for suffix in KINDS:
            _sheet(tmp_path / f"samples/kimg{kimg:06d}_{suffix}.png", kimg + 100 * (suffix == "raw"))
    _sheet(tmp_path / "samples/kimg000120_other.png")
    timeline = _open(tmp_path / "samples")
    assert timeline.moments == [0, 10, 120] and timeline.kinds == ["averaged", "raw"] and len(timeline.frames) == 6
    assert (timeline.moments[timeline.first.moment], timeline.first.kind) == (120, "averaged")
    for frame in timeline.frames:
        with Image.open(io.BytesIO(frame.webp)) as image:
            assert image.format == "WEBP" and image.size == frame.size == (12, 8)
            red = np.asarray(image)[4, 6, 0]
        assert abs(int(red) - timeline.moments[frame.moment] - 100 * (frame.kind == "raw")) < 6
    assert timeline.first.address.startswith("data:image/webp;base64,")
    assert timeline.note == "3 of 3 moments, re-encoded as WebP; all are in samples/"


def test_damaged_sheets_are_reported_and_left_out(tmp_path):
    for kimg in (0, 10):
        _sheet(tmp_path / f"kimg{kimg:06d}.png")
    (tmp_path / "kimg000020.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    problems = []
    timeline = _open(tmp_path, problems, {"": "completed"})
    assert timeline.moments == [0, 10] and "2 of 3 moments" in timeline.note
    assert problems == [f"{tmp_path.name}/kimg000020.png cannot be read as a picture: it is left out"]


def test_there_is_no_timeline_without_sheets(tmp_path):
    assert _open(tmp_path / "nowhere") is None
    (tmp_path / "kimg000000_ema.png").touch()
    problems = []
    assert _open(tmp_path, problems) is None and len(problems) == 1


def test_large_sheets_are_made_smaller_and_it_is_said(tmp_path):
    _sheet(tmp_path / "kimg000000_ema.png", size=(2 * LONGEST, LONGEST))
    timeline = _open(tmp_path)
    assert timeline.first.size == (LONGEST, LONGEST // 2) and f"from {2 * LONGEST} pixels in width" in timeline.note


def test_what_is_encoded_fits_the_budget():
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), np.uint8)
    sheets = [Image.fromarray(picture) for picture in noise]
    whole = sum(len(file) for file, _ in fit_budget(sheets, 10**6))
    small = fit_budget(sheets, whole // 3)
    assert sum(len(file) for file, _ in small) <= whole // 3
    assert len({size for _, size in small}) == 1 and small[0][1] < (96, 96)
    assert [size for _, size in fit_budget(sheets, 0)] == [(1, 1)] * 3
