import torch

from ganfill.models import stylegan2
from ganfill.models.latent import Normal
from ganfill.models.model import Model
from ganfill.models.truncation import has_w, mean_w, truncate


def test_the_mean_w(model):
    generator = stylegan2.Generator(32, 8, 8, 256, 8).requires_grad_(False)
    styled = Model(generator, None, Normal(8), 32, 0.0, torch.zeros(3, 32, 32), {})
    assert has_w(styled) and not has_w(model)
    mean = mean_w(styled)
    ws = styled.generator.forward_until(styled.latent.sample(4000, torch.Generator().manual_seed(5)), 1)
    torch.testing.assert_close(mean, ws[:, 0].mean(0), atol=0.1 * ws.std().item(), rtol=0)
    assert torch.equal(truncate(ws, mean, 0.0), mean.expand_as(ws))
    torch.testing.assert_close(truncate(ws, mean, 1.0), ws)
    stored = Model(
        stylegan2.Generator(32, 8, 8, 256, 8, noise=True), None, Normal(8), 32, 0.0, torch.zeros(3, 32, 32), {}
    )
    stored.generator.w_avg.fill_(0.5)
    assert torch.equal(mean_w(stored), torch.full((8,), 0.5))
