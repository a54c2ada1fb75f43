from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from ganfill.app.errors import RequestError, TooLarge
from ganfill.app.limits import Limits
from ganfill.app.service import Service
from ganfill.errors import UserError
from ganfill.images.photo import Photo
from tests.pictures import encoded, photo, rectangle

HOLE = rectangle((40, 50), 0.25, 0.2, 0.75, 0.7)
PICTURE = photo((40, 50))


@pytest.fixture
def service(path):
    return Service([str(path)], "cpu")


def test_uploads_are_read_with_their_mask_or_their_transparency(service):
    photo, hole = service.decode_with_hole(encoded(PICTURE), encoded(HOLE))
    assert np.array_equal(photo.pixels, PICTURE) and np.array_equal(hole, HOLE)
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    photo, hole = service.decode_with_hole(encoded(np.dstack([PICTURE, alpha])))
    assert np.array_equal(hole, HOLE)
    drawn = service.draw_hole(photo, "freeform", "tiny", 5)
    assert (
        drawn.shape == (40, 50)
        and drawn.any()
        and not np.array_equal(drawn, service.draw_hole(photo, "freeform", "tiny"))
    )


def test_uploads_that_are_refused(path, monkeypatch):
    service = Service([str(path)], "cpu", Limits(megabytes=0.01, megapixels=0.002))
    with pytest.raises(TooLarge, match=r"picture is 0\.06 MB, the limit is 0\.01 MB: shrink it"):
        service.decode_with_hole(bytes(60_000))
    flat = np.zeros((40, 60, 3), np.uint8)
    with pytest.raises(TooLarge, match=r"picture has 0\.0024 megapixels, the limit is 0\.002"):
        service.decode_with_hole(encoded(flat))
    with pytest.raises(TooLarge, match="mask has"):
        service.decode_with_hole(encoded(flat[:40, :50]), encoded(flat))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(TooLarge, match=r"picture has more than 0\.0001 megapixels"):
        service.decode_with_hole(encoded(flat))
    monkeypatch.undo()
    for wrong in (b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", encoded(PICTURE)[:900]):
        with pytest.raises(UserError, match="picture cannot be read"):
            service.decode_with_hole(wrong)
    with pytest.raises(RequestError, match="neither a mask nor transparency: send a mask"):
        service.decode_with_hole(encoded(flat[:40, :50]))
    with pytest.raises(UserError, match="the mask is 50x10, but its picture 50x40"):
        service.decode_with_hole(encoded(flat[:40, :50]), encoded(flat[:10, :50]))
    with pytest.raises(RequestError, match="hole=star is unknown: use center"):
        service.draw_hole(Photo(flat), "star", "tiny")
    with pytest.raises(UserError, match=r"limits must be above 0, .*megapixels=0"):
        Limits(megapixels=0)


def test_pictures_that_pillow_does_not_open_cannot_be_allowed():
    Limits(megapixels=89.47)
    with pytest.raises(UserError, match=r"megapixels=200 is above 89\.478485, the most that Pillow opens: lower it"):
        Limits(megapixels=200, total_megapixels=200)


def test_all_answers_together_have_a_limit(path):
    service = Service([str(path)], "cpu", Limits(megapixels=0.002, total_megapixels=0.005))
    file = BytesIO(encoded(PICTURE))
    service.check(file, "picture", answers=2)
    assert file.tell() == 0
    words = r"3 answers of 0\.002 megapixels have 0\.006 in total, the limit is 0\.005: ask for fewer answers"
    with pytest.raises(TooLarge, match=words):
        service.check(file, "picture", answers=3)
    with pytest.raises(UserError, match=r"total_megapixels=1 is below megapixels=24: raise it"):
        Limits(total_megapixels=1)


def test_a_header_is_checked_without_decoding(service):
    service.check(BytesIO(encoded(PICTURE)[:200]), "picture")
    with pytest.raises(UserError, match="picture cannot be read"):
        service.decode(encoded(PICTURE)[:200], "picture")


def test_files_that_take_long_to_decode_or_to_copy_are_refused(service):
    progressive = encoded(PICTURE, "JPEG", progressive=True)
    service.decode(progressive, "picture")
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    with pytest.raises(TooLarge, match=r"picture has \d+ scans, the limit is 100: save it anew"):
        service.decode(progressive[:-2] + 100 * scan + progressive[-2:], "picture")
    exif = Image.Exif()
    exif[0x010E] = "x" * 4_500_000
    with pytest.raises(
        TooLarge, match=r"picture has 4\.5 MB of EXIF data and colour profile, the limit is 4: remove them"
    ):
        service.decode(encoded(PICTURE, exif=exif.tobytes()), "picture")
