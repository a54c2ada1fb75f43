import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ganfill import cli
from ganfill.errors import UserError
from ganfill.images.alignment import Faces, find_alignment
from ganfill.images.face_yunet import Landmarks
from ganfill.images.faces import to_square
from ganfill.images.rotated_square import Square

SIZE = 256, 320
POINTS = np.array([(120, 100), (160, 104), (140, 125), (122, 140), (158, 142)], float)  # eyes, nose, mouth


def save_detector(path, points, size=SIZE):
    """A network with YuNet's outputs that sees one face, always the same."""
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["mean", "zero"], ["nought"])]
    constants, outputs = [numpy_helper.from_array(np.float32(0), "zero")], []
    for stride in (8, 16, 32):
        columns, cells = size[1] // stride, size[0] * size[1] // stride**2
        values = {"cls": np.zeros((1, cells, 1)), "obj": np.zeros((1, cells, 1))}
        values |= {"bbox": np.zeros((1, cells, 4)), "kps": np.zeros((1, cells, 10))}
        if stride == 8:
            corner = points.mean(0) // 8
            cell = int(corner[1]) * columns + int(corner[0])
            values["cls"][0, cell] = values["obj"][0, cell] = 0.95
            values["bbox"][0, cell] = [*(points.mean(0) / 8 - corner), math.log(60 / 8), math.log(60 / 8)]
            values["kps"][0, cell] = (points / 8 - corner).ravel()
        for name, value in values.items():
            constants.append(numpy_helper.from_array(value.astype(np.float32), f"{name}_{stride}_constant"))
            nodes.append(helper.make_node("Add", [f"{name}_{stride}_constant", "nought"], [f"{name}_{stride}"]))
            outputs.append(helper.make_tensor_value_info(f"{name}_{stride}", TensorProto.FLOAT, list(value.shape)))
    seen = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, *size])
    graph = helper.make_graph(nodes, "faces", [seen], outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def hole():
    hole = np.zeros(SIZE, bool)
    hole[110:130, 130:150] = True
    return hole


@pytest.fixture
def detector(tmp_path, monkeypatch):
    """Found usable without the trial on a picture of another size, which this network does not take."""
    save_detector(tmp_path / "model.onnx", POINTS)
    monkeypatch.setattr(Landmarks, "__post_init__", lambda self: None)
    return Landmarks(tmp_path / "model.onnx")


def test_the_square_of_an_upright_face_by_hand():
    square = to_square(np.array([(40, 50), (60, 50), (50, 60), (42, 70), (58, 70)], float))
    # Eyes 20 apart, mouth 20 below: half a side is max(2 * 20, 1.8 * 20), the middle 2 below the eyes.
    assert square == Square(50.5, 52.5, 80.0, pytest.approx(0))


@pytest.mark.parametrize("degrees", [-40, 15, 90])
def test_a_turned_face_has_a_turned_square(degrees):
    upright = np.array([(40, 50), (60, 50), (50, 60), (42, 70), (58, 70)], float)
    turn = np.deg2rad(degrees)  # counter-clockwise, with y downwards
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    square, plain = to_square(upright @ matrix.T), to_square(upright)
    assert square.side == pytest.approx(plain.side) and square.angle == pytest.approx(degrees)
    middle = matrix @ (plain.x - 0.5, plain.y - 0.5) + 0.5
    assert (square.x, square.y) == pytest.approx(tuple(middle))


def test_a_face_is_found_by_the_model_and_the_hole_plays_no_part(detector, photo, hole):
    (face,) = detector(photo, hole)
    expected = to_square(POINTS)
    assert (face.square.x, face.square.y) == pytest.approx((expected.x, expected.y), abs=0.01)
    assert face.square.side == pytest.approx(expected.side, rel=1e-4)
    assert detector(np.where(hole[..., None], np.uint8(255), photo), hole) == [face]
    assert detector(photo, np.ones(SIZE, bool)) == []


def test_faces_are_looked_at_where_the_model_finds_them(detector, photo, hole):
    (region,) = Faces(detector)(photo, hole, 64).regions
    assert isinstance(region, Square) and region.angle == pytest.approx(to_square(POINTS).angle, abs=0.01)


def test_a_mostly_missing_face_is_none(detector, photo):
    hole = np.zeros(SIZE, bool)
    hole[20:230, 30:260] = True
    assert detector(photo, hole) == []


@pytest.mark.parametrize("content", [None, b"no model"])
def test_what_is_no_model_is_one_line(tmp_path, content, capsys):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"landmarks=.*model.onnx cannot be used"):
        find_alignment("face", landmarks=str(path))
    save = tmp_path / "a.png"
    save.touch()
    assert cli.run(["complete", str(save), "mask=center", f"landmarks={path}", f"out={tmp_path / 'o'}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_landmarks_are_for_faces():
    with pytest.raises(UserError, match="align=center does not use landmarks=a"):
        find_alignment("center", landmarks="a")
