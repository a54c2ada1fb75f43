import numpy as np
import pytest
import torch

from ganfill.completion.pipeline import fill
from ganfill.images.alignment import Placement
from ganfill.images.blend import Feather, Paste, Poisson
from ganfill.images.regions import Box, make_view
from ganfill.images.rotated_square import Square
from ganfill.search.presets import posterior, standard
from ganfill.search.result import Completion, SearchOptions
from ganfill.search.routing import RoutedSearch
from tests.pictures import QUICK, photo, rectangle

SIZES = {"model's": (32, 32), "landscape": (40, 75), "portrait": (90, 33), "smaller": (20, 17), "line": (1, 50)}

DETERMINISTIC, TWO = SearchOptions(deterministic=True), SearchOptions(2, deterministic=True)


@pytest.mark.parametrize("blend", [None, Paste(), Feather(), Poisson()])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_known_pixels_of_any_photo_stay_bit_for_bit(model, blend, size):
    holes = [rectangle(size, 0.3, 0.3, 0.6, 0.6), rectangle(size, 0, 0.8, 0.5, 1), rectangle(size, 0.1, 0, 0.9, 1)]
    photos = [photo(size, seed) for seed in range(3)]
    for before, hole, filled in zip(photos, holes, fill(model, photos, holes, QUICK, blend, options=TWO), strict=True):
        assert len(filled.pictures) == len(filled.answers[0]) == len(filled.scores) == 2
        assert filled.scores == sorted(filled.scores)
        for picture in filled.pictures:
            assert picture.shape == before.shape and picture.dtype == np.uint8
            assert np.array_equal(picture[~hole], before[~hole])
            assert not np.array_equal(picture[hole], before[hole])


def test_a_photo_without_a_hole_stays_and_the_others_are_as_alone(model):
    photos, empty = [photo((32, 32), i) for i in range(3)], np.zeros((32, 32), bool)
    hole, reports = rectangle((32, 32), 0.2, 0.2, 0.7, 0.7), []
    results = fill(model, photos, [hole, empty, hole], QUICK, options=TWO, advance=reports.append)
    assert all(np.array_equal(picture, photos[1]) for picture in results[1].pictures)
    assert len(results[1].pictures) == 2 and not results[1].views and results[1].scores == []
    alone = fill(model, photos[2:], [hole], QUICK, options=TWO)[0]
    assert all(np.array_equal(a, b) for a, b in zip(results[2].pictures, alone.pictures, strict=True))
    assert results[2].scores == alone.scores and sum(reports) == pytest.approx(3)
    assert fill(model, photos[:1], [empty], QUICK)[0].views == []


def test_a_photo_without_colours_gets_none(model, enliven):
    grey = photo((60, 80))
    grey[...] = grey[..., :1]
    hole = rectangle((60, 80), 0.3, 0.3, 0.6, 0.6)
    grey[hole] = photo((60, 80), 1)[hole]  # what the hole holds plays no part
    filled = fill(enliven(model), [grey], [hole], QUICK, options=SearchOptions(2, frames=2))[0]
    for picture in [*filled.pictures, *filled.frames, *filled.answers[0]]:
        assert (picture == picture[..., :1]).all()


def test_a_photo_that_is_all_hole(model):
    filled = fill(model, [photo((20, 30))], [np.ones((20, 30), bool)], QUICK)[0]
    assert filled.pictures[0].shape == (20, 30, 3) and filled.scores == [0]


def test_frames_are_finished_pictures_too(model):
    before, hole = photo((32, 32)), rectangle((32, 32), 0.2, 0.2, 0.7, 0.7)
    filled = fill(model, [before], [hole], QUICK, options=SearchOptions(frames=3))[0]
    assert len(filled.frames) == 3
    assert all(np.array_equal(frame[~hole], before[~hole]) for frame in filled.frames)


def test_several_faces_and_a_hole_outside_them(model):
    before = photo((90, 200))
    hole = rectangle((90, 200), 0.2, 0.1, 0.5, 0.3) | rectangle((90, 200), 0.3, 0.6, 0.9, 0.65)
    outside = np.zeros_like(hole)
    outside[60:80, 170:190] = True
    placement, reports = Placement((Square(35, 40, 70, 12), Square(120, 50, 60, -20))), []
    words = {"placements": [placement], "options": SearchOptions(2, frames=2), "advance": reports.append}
    filled = fill(model, [before], [hole | outside], QUICK, **words)[0]
    assert [len(answers) for answers in filled.answers] == [2, 2] and len(filled.views) == 2 and sum(reports) == 1
    assert [frame.shape for frame in filled.frames] == [(32, 64, 3)] * 2
    assert len(filled.scores) == 2 and "400 missing pixels lie outside any face" in filled.remarks[0]
    first, second, third = filled.holes
    assert [first.method, second.method, third.method] == ["model", "model", "neighbours"] and third.pixels == 400
    assert (third.left, third.top, third.right, third.bottom) == (170, 60, 190, 80) and third.squares == []
    assert {first.squares[0], second.squares[0]} == set(filled.squares)
    assert max(square.score for square in filled.squares) == pytest.approx(filled.scores[0], abs=1e-4)
    for picture in filled.pictures:
        assert np.array_equal(picture[~(hole | outside)], before[~(hole | outside)])
        assert (picture != before).any(2)[hole | outside].mean() > 0.9
    first, second = (picture[outside] for picture in filled.pictures)
    assert np.array_equal(first, second) and not np.array_equal(*(picture[hole] for picture in filled.pictures))


def test_each_view_gets_the_answer_that_it_gets_alone(model):
    before, one, two = photo((90, 200)), Square(35, 40, 70, 12), Square(120, 50, 60, -20)
    hole = rectangle((90, 200), 0.3, 0.1, 0.5, 0.2) | rectangle((90, 200), 0.4, 0.55, 0.7, 0.65)
    both = fill(model, [before], [hole], QUICK, placements=[Placement((one, two))], options=DETERMINISTIC)[0]
    for i, square in enumerate((one, two)):
        alone = fill(model, [before], [hole], QUICK, placements=[Placement((square,))], options=DETERMINISTIC)[0]
        assert np.array_equal(both.answers[i][0], alone.answers[0][0])
    holding = np.random.default_rng(1).integers(0, 256, before.shape, dtype=np.uint8)
    other = np.where(hole[..., None], holding, before)
    again = fill(model, [other], [hole], QUICK, placements=[Placement((one, two))], options=DETERMINISTIC)[0]
    assert np.array_equal(again.pictures[0], both.pictures[0])


def test_a_view_continues_the_answer_of_the_one_before(model):
    before, hole = photo((90, 120)), rectangle((90, 120), 0, 0, 1, 0.5)
    face, around = Square(50, 45, 60), Box(0, 0, 90, 90)
    placement = Placement((face, around), scores=(0.9,))
    filled = fill(model, [before], [hole], QUICK, placements=[placement], options=SearchOptions(2, deterministic=True))[
        0
    ]
    first, second = filled.views
    of_face = np.isfinite(face.distance(hole.shape))
    left = hole & ~of_face  # what is missing still
    again = make_view(filled.pictures[0], left, around, 32)
    assert torch.equal(second.hole, again.hole) and torch.equal(second.image, again.image)
    assert torch.equal(first.image, make_view(before, hole, face, 32).image)
    alone = fill(model, [before], [hole], QUICK, placements=[Placement((face,))], options=TWO)[0]
    inside = of_face & hole
    assert np.array_equal(filled.pictures[0][inside], alone.pictures[0][inside])


def test_a_region_that_fills_nothing_is_not_searched(model):
    before, hole = photo((90, 120)), rectangle((90, 120), 0.4, 0.4, 0.6, 0.6)
    first, inner = (
        Square(60, 45, 80),
        Square(60, 45, 50),
    )  # of all pixels, the centre of the larger one is relatively nearer
    both = Placement((inner, first), scores=(0.8, 0.9))
    filled = fill(model, [before], [hole], QUICK, placements=[both], options=DETERMINISTIC)[0]
    alone = fill(model, [before], [hole], QUICK, placements=[Placement((first,), "", (0.9,))], options=DETERMINISTIC)[0]
    assert len(filled.views) == 1 and filled.squares == alone.squares and filled.scores == alone.scores
    assert np.array_equal(filled.pictures[0], alone.pictures[0])


def test_views_with_fewer_frames_show_their_last_one(model):
    counts = iter([3, 1])

    def search(model, images, holes, options):
        pictures = torch.zeros(len(images), 1, 3, 32, 32)
        frames = [torch.full((len(images), 3, 32, 32), k / 4) for k in range(next(counts))]
        return Completion(pictures, torch.zeros(len(images), 1, 8), *[torch.zeros(len(images), 1)] * 2, frames=frames)

    before, hole = photo((90, 120)), rectangle((90, 120), 0, 0, 1, 0.5)
    placement = Placement((Square(50, 45, 60), Box(0, 0, 90, 90)))
    filled = fill(model, [before], [hole], search, Paste(), [placement], SearchOptions(frames=3))[0]
    assert [frame.shape for frame in filled.frames] == [(32, 64, 3)] * 3
    first, second = (np.stack([frame[:, half] for frame in filled.frames]) for half in (slice(32), slice(32, 64)))
    assert (first[0] != first[2]).any() and (second[0] == second[2]).all()


def test_a_photo_that_needs_no_model(model):
    before, hole = photo((60, 80)), rectangle((60, 80), 0.3, 0.3, 0.5, 0.5)
    other = photo((60, 80), 1)
    placements = [Placement((), "take care"), Placement((Square(30, 30, 60),))]
    none, some = fill(model, [before, other], [hole, hole], QUICK, placements=placements, options=TWO)
    assert none.views == [] and none.scores == [] and len(none.pictures) == 2 and none.remarks == ["take care"]
    assert np.array_equal(none.pictures[0][~hole], before[~hole]) and (none.pictures[0] != before).any()
    assert len(some.views) == 1 and "weak fit, score" in some.remarks[0]  # noise is no face


def test_a_good_fit_gives_no_remark(model):
    with torch.no_grad():
        shown = model.generator(torch.full((1, 8), 0.5))
    hole = rectangle((32, 32), 0.4, 0.4, 0.6, 0.6)
    picture = ((shown[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    assert fill(model, [picture], [hole], standard(steps=60, pool=64, precision="fp32"))[0].remarks == []


def test_a_mean_and_how_sure_it_is(model):
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    hole = np.zeros((40, 50), dtype=bool)
    hole[10:30, 15:35] = True
    search = posterior(chains=2, burn_in=2, samples=3, leaps=2, steps=1, precision="fp32")
    (filled,) = fill(model, [photo], [hole], search)
    assert filled.extras.keys() == {"mean", "uncertainty"}
    assert (filled.extras["mean"][~hole] == photo[~hole]).all()
    assert not filled.extras["uncertainty"][~hole].any() and (filled.extras["uncertainty"][hole] > 0).all()
    assert fill(model, [photo], [hole], QUICK)[0].extras == {}


@pytest.mark.parametrize(
    ("low", "high", "level"), [(-1.0, 1.0, 255), (0.25, 0.25, 0), (-0.5, 0.5, 128), (0.0, 0.4, 51), (-1.5, 1.5, 255)]
)
def test_uncertainty_is_black_for_none_and_white_for_the_full_range(model, low, high, level):
    class Estimate:
        blend = Paste()

        def __call__(self, model, images, holes, options):
            n, size = len(images), images.shape[1:]
            interval = torch.full((n, *size), low), torch.full((n, *size), high)
            return Completion(images[:, None], torch.zeros(n, 1, 8), *torch.zeros(2, n, 1), interval=interval)

    hole, inside = rectangle((40, 90), 0.2, 0.1, 0.8, 0.9), np.zeros((40, 90), bool)
    inside[:, 20:60] = True
    placement = Placement((Square(40, 20, 40),))
    (filled,) = fill(model, [photo((40, 90))], [hole], Estimate(), placements=[placement])
    uncertainty = filled.extras["uncertainty"]
    assert (uncertainty[hole & inside] == level).all()
    assert (uncertainty[hole & ~inside] == 255).all()  # outside the region nothing is estimated
    assert not uncertainty[~hole].any()


def test_what_was_filled_without_a_search_has_no_score(model):
    hole = np.zeros((32, 32), bool)
    hole[10:12, 10:12] = True
    routed = RoutedSearch(QUICK, tiny=0.02, scattered=0.35)
    (filled,) = fill(model, [photo((32, 32))], [hole], routed)
    assert filled.scores == [] and filled.holes[0].method == "neighbours"
    assert filled.holes[0].squares[0].score is None
    outside = Placement((Square(70, 30, 20, 0),))
    (filled,) = fill(model, [photo((60, 80))], [rectangle((60, 80), 0.1, 0.1, 0.2, 0.2)], QUICK, placements=[outside])
    assert filled.holes[0].method == "neighbours" and filled.holes[0].squares == []
