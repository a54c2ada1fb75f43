import torch

from ganfill import seeding
from ganfill.models.latent import Normal, Uniform


def test_moments_and_bounds():
    normal = Normal(50).sample(4000, seeding.generator(0, "z"))
    uniform = Uniform(50).sample(4000, seeding.generator(0, "z"))
    assert normal.shape == uniform.shape == (4000, 50)
    torch.testing.assert_close(normal.std(), torch.tensor(1.0), atol=0.01, rtol=0)
    torch.testing.assert_close(uniform.std(), torch.tensor(3**-0.5), atol=0.01, rtol=0)
    assert uniform.abs().max() <= 1
    assert Uniform.bounded and not Normal.bounded


def test_same_seed_and_purpose_give_the_same_draw_and_others_another():
    draw = [
        Normal(8).sample(4, seeding.generator(*words)) for words in [(0, "z", 1), (0, "z", 1), (0, "z", 2), (1, "z", 1)]
    ]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert not torch.equal(draw[0], draw[3])
