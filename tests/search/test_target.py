import pytest
import torch

from ganfill.search.target import Target


@pytest.fixture
def images():
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def holes():
    holes = torch.zeros(3, 1, 8, 8, dtype=torch.bool)
    holes[:, :, 2:5, 3:6] = True
    return holes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.3])
def test_what_the_hole_holds_leaves_no_trace(images, holes, value):
    target, other = Target.of(images, holes), Target.of(images.masked_fill(holes, value), holes)
    assert torch.equal(target.image, other.image) and target.keys == other.keys
    assert not target.image[holes.expand_as(images)].any()
    assert torch.equal(target.known, 1 - holes.float())


def test_the_callers_pictures_stay_as_they_are(images, holes):
    before = images.clone()
    Target.of(images, holes)
    assert torch.equal(images, before)


def test_a_key_is_made_of_known_pixels_and_hole_but_not_of_the_place(images, holes):
    keys = Target.of(images, holes).keys
    assert len(set(keys)) == 3
    assert Target.of(images.flip(0), holes).keys == keys[::-1]
    assert Target.of(images.to(memory_format=torch.channels_last), holes).keys == keys
    images[0, 0, 0, 0] += 0.01
    holes[1, 0, 0, 0] = True
    changed = Target.of(images, holes).keys
    assert [a == b for a, b in zip(keys, changed, strict=True)] == [False, False, True]


def test_pick_repeats_the_last_one(images, holes):
    target = Target.of(images, holes)
    chunk = target.pick(1, 5)
    assert chunk.keys == (target.keys[1], *[target.keys[2]] * 3) and len(chunk) == 4
    assert torch.equal(chunk.image[3], target.image[2]) and torch.equal(chunk.known[0], target.known[1])


def test_hidden_pixels_are_missing_and_the_keys_stay(images, holes):
    target, held_out = Target.of(images, holes), torch.zeros(3, 1, 8, 8)
    held_out[0, 0, 0, :4] = 1
    seen = target.hide(held_out)
    assert seen.keys == target.keys
    assert torch.equal(seen.known, target.known * (1 - held_out)) and not seen.known[0, 0, 0, :4].any()
    assert not seen.image[0, :, 0, :4].any() and torch.equal(seen.image[1:], target.image[1:])
    assert target.image[0, :, 0, :4].all()


def test_mirrored_pictures_keep_their_keys(images, holes):
    target = Target.of(images, holes)
    mirrored = target.mirror()
    assert mirrored.keys == target.keys and torch.equal(mirrored.image[..., 0], target.image[..., 7])
    assert torch.equal(mirrored.known.flip(3), target.known) and torch.equal(mirrored.mirror().image, target.image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, h: (x[0], h), r"float \(N, 3, H, W\)"),
        (lambda x, h: (x[:, :1], h), r"float \(N, 3, H, W\)"),
        (lambda x, h: (x.to(torch.uint8), h), r"got torch\.uint8"),
        (lambda x, h: (x, h.float()), r"bool \(3, 1, 8, 8\), got torch\.float32"),
        (lambda x, h: (x, h[:1]), r"bool \(3, 1, 8, 8\)"),
        (lambda x, h: (x, h[:, 0]), r"bool \(3, 1, 8, 8\)"),
        (lambda x, h: (x, h[..., :4]), r"bool \(3, 1, 8, 8\)"),
    ],
)
def test_wrong_shapes_and_types(images, holes, change, message):
    with pytest.raises(ValueError, match=message):
        Target.of(*change(images, holes))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_known_pixel_has_to_be_a_number(images, holes, value):
    images[1, 2, 7, 7] = value
    with pytest.raises(ValueError, match="a known pixel is NaN or infinite"):
        Target.of(images, holes)
