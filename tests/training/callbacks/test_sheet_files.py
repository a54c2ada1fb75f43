import pytest

from ganfill.training.callbacks.sheet_files import drop_later_sheets, sheet_path


@pytest.mark.parametrize(("images_seen", "left"), [(0, []), (999, [0]), (40_500, [0, 40]), (41_000, [0, 40, 41])])
def test_sheets_from_after_the_checkpoint_are_deleted_and_nothing_else(images_seen, left, tmp_path):
    for seen in (0, 40_000, 41_000):
        sheet_path(tmp_path, seen).touch()
        sheet_path(tmp_path, seen, "ema").touch()
    others = [tmp_path / name for name in ("kimg99.png", "kimg000099 mine.png", "kimg000099_ema.jpg", "notes.txt")]
    for path in others:
        path.touch()
    drop_later_sheets(tmp_path, images_seen)
    kept = {f"kimg{kimg:06d}{kind}.png" for kimg in left for kind in ("", "_ema")}
    assert {path.name for path in tmp_path.iterdir()} == kept | {path.name for path in others}


def test_a_directory_that_does_not_exist_stays_so(tmp_path):
    drop_later_sheets(tmp_path / "samples", 0)
    assert not list(tmp_path.iterdir())
