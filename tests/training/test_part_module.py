import pytest
import torch

from ganfill.errors import UserError
from ganfill.training.part_module import PartModule, errors


def test_errors_by_hand():
    pictures, image, known = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2), torch.ones(2, 1, 2, 2)
    known[0, :, 0] = 0
    image[0, :, 0, 0], image[0, :, 1] = 0.6, 0.2  # in the hole the squares 0.36 and 0
    image[1] = -0.4  # all of this one is known
    in_hole, outside = errors(pictures, image, known)
    assert in_hole.item() == pytest.approx((0.18**0.5 + 0) / 2, abs=1e-3)
    assert outside.item() == pytest.approx((0.2 + 0.4) / 2)
    nothing = errors(pictures, image, torch.zeros(2, 1, 2, 2))
    assert all(value.isfinite() for value in nothing) and nothing[1] == 0


def test_holes_are_of_every_kind_and_depend_on_purpose_and_clock(model):
    module = PartModule(model, [], 1.0, 1.0, seed=0)
    holes = module.draw_holes(64)
    assert holes.shape == (64, 1, 32, 32) and holes.unique().tolist() == [0, 1]
    assert torch.equal(holes, module.draw_holes(64))
    assert not torch.equal(holes, module.draw_holes(64, "others"))
    module.images_seen = 64
    assert not torch.equal(holes, module.draw_holes(64))
    middle = torch.zeros(32, 32)
    middle[8:24, 8:24] = 1
    assert len(PartModule.HOLES) == 7 and any(torch.equal(hole[0], middle) for hole in holes)
    assert module.draw_holes(0).shape == (0, 1, 32, 32)


@pytest.mark.parametrize("kimg", [0, -1])
def test_a_length_of_nothing_is_refused(model, kimg):
    with pytest.raises(UserError, match=f"kimg must be above 0, got {kimg}"):
        PartModule(model, [], kimg, 1.0, seed=0)
