"""Reads pickled networks without running their code.

A pickle is a program that may call any function of any module. The official StyleGAN2 files even contain the source text of
their networks. ``read`` knows the few names that such files need and builds only tensors, numbers, texts, lists, tuples,
sets and dictionaries; a file that asks for anything else is refused by that name. Nothing of the file is run or imported.
"""

import math
import pickle
import re
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ganfill.errors import UserError, first_line

LEGACY_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, 2)  # the first object of files of torch.save before its zip format
NUMBER = re.compile(r"[fiub][1248]")  # NumPy's names of plain numbers: kind and bytes


class _Refused(pickle.UnpicklingError):
    """A pickle asks for a name that is not on the list."""


def read(path: Path) -> Any:
    """Returns the content of a pickle, or of a file of ``torch.save``, as plain containers, numbers, texts and tensors.

    A persistent network of the official files is the dictionary that describes it: ``class_name``, ``state`` with the
    attributes of the object, and so on.

    Raises:
        UserError: the file asks for more than that, or is truncated or no pickle.
    """
    try:
        with path.open("rb") as file:
            head = file.read(len(LEGACY_TORCH))
            file.seek(0)
            if head[:2] == b"PK" or head == LEGACY_TORCH:
                return torch.load(file, map_location="cpu", weights_only=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "TypedStorage is deprecated", UserWarning)
                return _Unpickler(file).load()
    except _Refused as error:
        raise UserError(
            f"{path} is refused: its pickle asks for {error}, and only tensors, numbers, texts and containers are read; "
            "nothing in it was run"
        ) from None
    except Exception as error:  # a damaged pickle raises nearly everything
        raise UserError(
            f"{path} cannot be read as a pickle of tensors and plain values ({first_line(error)}): give an official "
            "StyleGAN2 file for PyTorch, or save the state dicts of the networks with torch.save"
        ) from None


class _Unpickler(pickle.Unpickler):
    """Finds only the names on the list."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.names = _make_names()

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self.names:
            raise _Refused(f"{module}.{name}")
        return self.names[f"{module}.{name}"]


def _make_names() -> dict[str, Any]:
    """Returns what builds the values that a pickle names.

    They are made for one pickle alone, or cannot be changed, because a pickle may set attributes of what it finds.
    """

    class Number:
        """A NumPy data type: the kind and size of a number, and the order of its bytes."""

        def __init__(self, code: str, *_: Any) -> None:
            if not NUMBER.fullmatch(code):
                raise _Refused(f"numpy.dtype {code}")
            self.code, self.order = code, "<"

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            self.order = ">" if state[1] == ">" else "<"

        def read(self, content: bytes) -> bool | int | float:
            kind, size = self.code[0], int(self.code[1])
            if kind == "f":
                return struct.unpack(f"{self.order}{ {2: 'e', 4: 'f', 8: 'd'}[size] }", content)[0]
            value = int.from_bytes(content, "big" if self.order == ">" else "little", signed=kind == "i")
            return bool(value) if kind == "b" else value

    def scalar(number: Number, content: bytes) -> bool | int | float:
        return number.read(content)

    def storage(content: bytes) -> Any:
        # torch.storage._load_from_bytes would run a pickle inside the pickle.
        return torch.load(BytesIO(content), map_location="cpu", weights_only=True)

    def tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> torch.Tensor:
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if last >= storage.size() or math.prod(size) > storage.size():
            raise ValueError("a tensor is larger than its storage")
        return torch.empty(0, dtype=storage.dtype).set_(storage.untyped(), offset, torch.Size(size), tuple(stride))

    def parameter(tensor: torch.Tensor, *_: Any) -> torch.Tensor:
        return tensor

    def network(description: dict[str, Any]) -> dict[str, Any]:
        return description

    names: dict[str, Any] = {
        "collections.OrderedDict": dict,
        "dnnlib.util.EasyDict": dict,
        "builtins.set": set,
        "__builtin__.set": set,
        "torch.Size": tuple,
        "torch.device": lambda *words: words,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_parameter": parameter,
        "torch.storage._load_from_bytes": storage,
        "torch_utils.persistence._reconstruct_persistent_obj": network,
        "numpy.dtype": Number,
        "numpy.core.multiarray.scalar": scalar,
        "numpy._core.multiarray.scalar": scalar,
    }
    return names | {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
