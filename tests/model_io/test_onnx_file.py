import numpy as np
import pytest
import torch

from ganfill.model_io.model_file import PACKAGED
from ganfill.model_io.onnx_file import TOLERANCE, save_onnx

onnxruntime = pytest.importorskip("onnxruntime")


def test_onnxruntime_draws_the_same_pictures_at_any_batch_size(tmp_path, model):
    path = tmp_path / "generator.onnx"
    assert save_onnx(path, model) <= TOLERANCE
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for n in (1, 3):
        z = model.latent.sample(n, torch.Generator().manual_seed(n))
        with torch.no_grad():
            expected = model.generator(z).numpy()
        np.testing.assert_allclose(session.run(["images"], {"z": z.numpy()})[0], expected, atol=1e-4)


def test_a_file_does_not_name_files_of_the_machine_that_made_it(tmp_path, model):
    save_onnx(tmp_path / "generator.onnx", model)
    for path in (tmp_path / "generator.onnx", *PACKAGED.glob("*.onnx")):
        assert b".py" not in path.read_bytes() and b"packages" not in path.read_bytes()
