import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch

from ganfill.errors import UserError
from ganfill.model_io import restricted_pickle


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "file.pkl"
        path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
        return path

    return write


def test_tensors_numbers_texts_and_containers_are_read(write):
    tensor = torch.arange(6.0).reshape(2, 3).T
    plain = {"list": [1, 2.5, None, True], "text": "ä", "tuple": (b"x",), "set": {1}, "order": OrderedDict(a=1)}
    numbers = [np.float64(2.5), np.float32(0.5), np.float16(3), np.int64(-7), np.uint8(200), np.bool_(True)]
    content = plain | {"numbers": numbers, "dtype": torch.float16, "size": torch.Size([2]), "tensor": tensor}
    content["parameter"] = torch.nn.Parameter(tensor)
    found = restricted_pickle.read(write(content))
    assert torch.equal(found["tensor"], tensor) and found["tensor"].stride() == tensor.stride()
    assert type(found["parameter"]) is torch.Tensor and not found["parameter"].requires_grad
    assert {name: found[name] for name in plain} == plain
    assert found["numbers"] == [2.5, 0.5, 3.0, -7, 200, True] and {*map(type, found["numbers"])} == {float, int, bool}
    assert found["dtype"] is torch.float16 and found["size"] == (2,)


def test_big_endian_numbers(write):
    assert restricted_pickle.read(write(np.array([1.5, -3], ">f8")[1])) == -3
    assert restricted_pickle.read(write(np.array([258], ">i4")[0])) == 258


@pytest.fixture
def malicious(tmp_path):
    """Pickles that write the file ``harm`` in three ways, by what they ask for; the third is a pickle inside a pickle."""
    harm = tmp_path / "harm"
    inside = pickle.dumps(Calls(os.system, f"touch {harm}"))
    nested = Calls(
        torch._utils._rebuild_tensor_v2, Calls(torch.storage._load_from_bytes, inside), 0, (1,), (1,), False, {}
    )
    return {
        "posix.system": Calls(os.system, f"touch {harm}"),
        "builtins.exec": {"G_ema": [Calls(exec, f"from pathlib import Path; Path({str(harm)!r}).touch()")]},
        "_load_from_bytes": {"G_ema": nested},
    }


@pytest.mark.parametrize("asked", ["posix.system", "builtins.exec", "_load_from_bytes"])
def test_a_malicious_pickle_is_refused(write, malicious, tmp_path, asked):
    path = write(malicious[asked])
    with pytest.raises(UserError) as caught:
        restricted_pickle.read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    if asked != "_load_from_bytes":
        assert f"its pickle asks for {asked}" in str(caught.value) and "nothing in it was run" in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_the_malicious_pickles_are_malicious(malicious, tmp_path):
    for asked in ("posix.system", "builtins.exec"):
        pickle.loads(pickle.dumps(malicious[asked]))
        assert (tmp_path / "harm").exists()
        (tmp_path / "harm").unlink()


@pytest.mark.parametrize(
    "program",
    [
        b"cganfill.files\nwrite_atomically\n.",
        b"ctorch\nload\n.",
        b"ccollections\nOrderedDict.__init__\n.",  # a dotted name reaches into what is allowed
        b"cnumpy\ndtype\n(S'O'\ntR.",  # objects
        b"Pan id\n.",  # a persistent id
        b"\x82\x01.",  # an extension
    ],
)
def test_other_names_are_refused(write, program):
    with pytest.raises(UserError, match=r"nothing in it was run|cannot be read as a pickle"):
        restricted_pickle.read(write(program))


def test_what_a_pickle_changes_does_not_stay(write):
    """BUILD sets attributes of the function that rebuilds tensors."""
    name = b"ctorch._utils\n_rebuild_tensor_v2\n"
    restricted_pickle.read(write(name + b"(N}S'__defaults__'\n(I1\ntstb."))
    tensor = torch.ones(2)
    assert torch.equal(restricted_pickle.read(write(tensor)), tensor)


def test_a_tensor_cannot_be_larger_than_its_storage(write):
    for size, stride, offset in [((3,), (1,), 0), ((2,), (1,), 1), ((10**9, 10**9), (0, 0), 0)]:
        storage = torch.zeros(2).untyped_storage()
        typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
        call = Calls(torch._utils._rebuild_tensor_v2, typed, offset, size, stride, False, OrderedDict())
        with pytest.raises(UserError, match="larger than its storage"):
            restricted_pickle.read(write(call))


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", b"\x80\x04", struct.pack("<q", 1) * 9, b"PK\x03\x04 no archive"]
)
def test_damaged_files_are_refused_in_one_line(write, content):
    with pytest.raises(UserError, match="cannot be read as a pickle of tensors and plain values") as caught:
        restricted_pickle.read(write(content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", [{}, {"_use_new_zipfile_serialization": False}])
def test_files_of_torch_with_code_are_refused(tmp_path, form):
    torch.save({"G": Calls(os.system, f"touch {tmp_path / 'harm'}")}, tmp_path / "file.pt", **form)
    with pytest.raises(UserError, match="cannot be read as a pickle of tensors and plain values"):
        restricted_pickle.read(tmp_path / "file.pt")
    assert not (tmp_path / "harm").exists()
