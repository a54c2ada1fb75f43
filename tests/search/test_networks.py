from contextlib import suppress

import pytest
import torch

from ganfill.devices import has_bfloat16
from ganfill.errors import UserError
from ganfill.search.networks import Networks, power_of_two, power_of_two_threads


@pytest.fixture
def threads():
    """Returns the function that sets the number of threads; the earlier number comes back after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_batches_are_filled_up_to_powers_of_two(model, threads):
    sizes = []
    threads(1)
    model.generator.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    networks = Networks(model, "fp32")
    assert [len(networks.generate(torch.zeros(n, 8))) for n in (1, 2, 3, 5, 8)] == [1, 2, 3, 5, 8]
    assert sizes == [2, 2, 4, 8, 8]
    threads(16)
    networks.generate(torch.zeros(3, 8))
    assert sizes[-1] == 8


def test_the_number_of_threads_is_a_power_of_two_during_a_search(threads):
    for number, expected in ((1, 1), (2, 2), (3, 2), (6, 4), (8, 8)):
        threads(number)
        with suppress(KeyError), power_of_two_threads():
            assert torch.get_num_threads() == expected
            raise KeyError
        assert torch.get_num_threads() == number


def test_powers_of_two():
    assert [power_of_two(n) for n in (0, 1, 2, 3, 4, 255, 256)] == [1, 1, 2, 2, 4, 128, 256]


@pytest.mark.parametrize("n", [1, 3, 5, 7, 13])
def test_the_size_of_a_batch_leaves_no_trace(model, n):
    networks = Networks(model, "fp32")
    z = model.latent.sample(16, torch.Generator().manual_seed(0))
    pictures = networks.generate(z)
    assert torch.equal(networks.generate(z[:n]), pictures[:n])
    torch.testing.assert_close(networks.logits(pictures[:n]), networks.logits(pictures)[:n])


def test_gradients_pass_and_the_filling_has_no_share_in_them(model):
    networks = Networks(model, "fp32")
    z = model.latent.sample(3, torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(networks.generate(z).square().sum(), z)
    (expected,) = torch.autograd.grad(model.generator(z).square().sum(), z)
    torch.testing.assert_close(gradient, expected)


def test_out_comes_float32_at_any_precision(model):
    z = torch.zeros(2, 8)
    exact, coarse = (Networks(model, precision).generate(z) for precision in ("fp32", "bf16"))
    assert exact.dtype == coarse.dtype == torch.float32
    torch.testing.assert_close(exact, coarse, atol=0.05, rtol=0.05)
    assert Networks(model).bfloat16 == has_bfloat16(torch.device("cpu"))
    with pytest.raises(UserError, match="precision=fp16 is not known"):
        Networks(model, "fp16")


def test_the_encoder_sees_picture_and_mask_in_powers_of_two(model_with_encoder):
    networks = Networks(model_with_encoder, "fp32")
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(5, 3, 32, 32, generator=generator)
    known = (torch.rand(5, 1, 32, 32, generator=generator) > 0.3).float()
    z = networks.encode(image * known, known)
    torch.testing.assert_close(z, model_with_encoder.encoder(image * known, known))
    assert z.shape == (5, 8) and torch.equal(networks.encode(image[:3] * known[:3], known[:3]), z[:3])


def test_any_function_of_batches_runs_and_only_the_first_rows_come_back(model):
    sizes = []

    def add(a, b):
        sizes.append((len(a), len(b)))
        return a + b

    a, b = torch.arange(6.0).view(3, 2), torch.ones(3, 2)
    assert torch.equal(Networks(model, "fp32").run(add, a, b), a + 1) and sizes == [(4, 4)]
