import pytest


@pytest.fixture
def feed_forward(model_with_inpainter):
    """A model whose untrained inpainter needs no guess."""
    model_with_inpainter.inpainter.guess = False
    model_with_inpainter.card["inpainter"]["arguments"]["guess"] = False
    return model_with_inpainter
