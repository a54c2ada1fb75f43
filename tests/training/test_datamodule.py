import shutil
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ganfill.data.prepare import prepare
from ganfill.errors import UserError
from ganfill.training import datamodule
from ganfill.training.datamodule import Batches, FFHQDataModule, FolderDataModule, SyntheticDataModule


@pytest.fixture
def folder(tmp_path):
    """Thirty pictures to train on and two to test, each of one colour: its number."""
    for number in [*range(30), 60000, 60001]:
        path = tmp_path / "pictures" / f"{number:05}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, 7, 200)).save(path)
    return tmp_path / "pictures"


@pytest.fixture
def store(folder, tmp_path):
    prepare([folder], tmp_path / "store", resolution=8)
    return tmp_path / "store"


def numbered(n):
    return np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)


def numbers(batch):
    return batch[:, 0, 0, 0].tolist()


def test_every_epoch_shows_every_picture_once_in_an_order_of_its_own():
    batches = Batches(numbered(10), np.arange(10), 4, seed=0, mirror=False)
    shown = [number for position in range(0, 40, 4) for number in numbers(batches.at(position))]
    epochs = [shown[begin : begin + 10] for begin in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_batch_depends_on_seed_and_position_alone():
    def make(seed=0, images_seen=0):
        return Batches(numbered(10), np.arange(10), 4, seed, mirror=True, images_seen=images_seen)

    from_start, later = iter(make()), iter(make(images_seen=12))
    passed = [next(from_start) for _ in range(8)]
    assert all(torch.equal(next(later), batch) for batch in passed[3:])
    assert torch.equal(make().at(20), passed[5])
    assert any(numbers(make(seed=1).at(4 * i)) != numbers(batch) for i, batch in enumerate(passed))


def test_a_batch_larger_than_the_set_runs_across_epochs():
    shown = numbers(Batches(numbered(3), np.arange(3), 7, seed=0, mirror=False).at(0))
    assert sorted(shown[:3]) == sorted(shown[3:6]) == [0, 1, 2]


def test_only_the_wanted_rows_are_shown_and_a_tensor_gives_the_same():
    rows = np.array([1, 4, 5])
    from_array = Batches(numbered(9), rows, 6, seed=0, mirror=True)
    from_tensor = Batches(torch.from_numpy(numbered(9)), rows, 6, seed=0, mirror=True)
    assert set(numbers(from_array.at(0))) == {1, 4, 5}
    assert torch.equal(from_array.at(18), from_tensor.at(18))


def test_mirroring_turns_about_half_of_them():
    pictures = np.zeros((1, 2, 2, 3), np.uint8)
    pictures[:, :, 1] = 255
    shown = Batches(pictures, np.arange(1), 400, seed=0, mirror=True).at(0)
    mirrored = shown[:, 0, 0, 0] == 255
    assert 0.4 < mirrored.float().mean() < 0.6
    assert torch.equal(
        shown[mirrored], torch.from_numpy(pictures[:, :, ::-1].copy()).expand(int(mirrored.sum()), 2, 2, 3)
    )


def test_a_store_gives_its_training_half(store):
    data = FFHQDataModule(str(store), 4, resolution=8)
    data.setup()
    data.setup()
    assert len(data.rows) == 30 and data.pictures.shape == (32, 8, 8, 3) and len(data.digest) == 64
    mean = data.mean_picture(chunk=7)
    expected = torch.tensor([np.arange(30).mean(), 7, 200]).float() / 127.5 - 1
    torch.testing.assert_close(mean, expected[:, None, None].expand(3, 8, 8))


def test_held_out_pictures_are_of_the_test_half_and_the_same_for_every_seed(store):
    found = [FFHQDataModule(str(store), 4, resolution=8, seed=seed).held_out(4) for seed in (0, 1)]
    assert sorted(found[0].ids) == ["pictures/60000", "pictures/60001"] and found[0].ids == found[1].ids
    assert len(FFHQDataModule(str(store), 4, resolution=8).held_out(1)) == 1
    index = store / "index.json"
    index.write_text(index.read_text().replace('"test"', '"train"'))
    assert FFHQDataModule(str(store), 4, resolution=8).held_out(4) is None


def test_drawn_pictures_that_are_held_out_are_none_of_the_others_and_the_same_for_every_seed():
    first, other = (SyntheticDataModule(4, 32, seed=seed, n=9) for seed in (0, 1))
    first.setup()
    pictures = first.held_out(4)
    assert (
        pictures.ids == ["drawn/0", "drawn/1", "drawn/2", "drawn/3"]
        and (pictures.images == other.held_out(4).images).all()
    )
    assert not any((picture == first.pictures).all((1, 2, 3)).any() for picture in pictures.images)


def test_a_missing_store_says_how_to_get_ffhq_and_how_to_prepare_it(tmp_path):
    with pytest.raises(UserError) as caught:
        FFHQDataModule(str(tmp_path / "nothing"), 4).setup()
    message = str(caught.value)
    assert all(
        word in message for word in ("thumbnails128x128", "images1024x1024", "ganfill prepare source=", "nothing")
    )
    assert "\n" not in message


def test_pictures_of_another_size_or_none_to_train_on_are_refused(store, folder, tmp_path):
    with pytest.raises(UserError, match="pictures of 8 pixels, the networks expect 64: prepare the pictures again"):
        FFHQDataModule(str(store), 4, resolution=64).setup()
    prepare([folder], tmp_path / "tests", resolution=8, split="test")
    with pytest.raises(UserError, match="has no training pictures"):
        FFHQDataModule(str(tmp_path / "tests"), 4, resolution=8).setup()


def test_a_folder_is_prepared_once(folder, tmp_path, caplog):
    (folder / "99999.png").touch()
    data = FolderDataModule(str(folder), str(tmp_path / "made"), 4, resolution=8)
    data.prepare_data()
    made = (tmp_path / "made/index.json").stat().st_mtime_ns
    data.prepare_data()
    data.setup()
    assert len(data.rows) == 30 and (tmp_path / "made/index.json").stat().st_mtime_ns == made
    shutil.rmtree(folder)
    data.prepare_data()  # as Lightning does later in every process; the folder is not read any more
    assert caplog.messages == [
        "skipped pictures/99999.png: empty",
        "30 pictures to train on, 2 to test, 1 files skipped, 0 converted",
    ]


def test_trainings_that_start_together_prepare_a_folder_one_after_the_other(folder, tmp_path, monkeypatch, caplog):
    at_work, together = [], threading.Barrier(2)

    def slow(*arguments, **settings):
        assert not at_work
        at_work.append(1)
        time.sleep(0.1)
        store = prepare(*arguments, **settings)
        at_work.pop()
        return store

    def start(data):
        together.wait()
        data.prepare_data()
        data.setup()

    monkeypatch.setattr(datamodule, "prepare", slow)
    both = [FolderDataModule(str(folder), str(tmp_path / "made"), 4, resolution=8) for _ in range(2)]
    threads = [threading.Thread(target=start, args=[data]) for data in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(data.rows) for data in both] == [30, 30]
    assert len([message for message in caplog.messages if message.startswith("30 pictures to train on")]) == 1
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["images.npy", "index.json"]


def test_a_store_that_is_complete_needs_no_lock(folder, store, monkeypatch):
    held = []
    monkeypatch.setattr(datamodule, "hold_directory", lambda *args, **_: held.append(args))
    FolderDataModule(str(folder), str(store), 4, resolution=8).prepare_data()
    assert not held


def test_a_store_that_cannot_be_made_is_named_with_its_key(folder, tmp_path):
    with pytest.raises(UserError, match=r"^data\.store=.*: give data\.store="):
        FolderDataModule(str(folder), str(tmp_path / "made.zip"), 4, resolution=8).prepare_data()


def test_a_folder_that_does_not_exist_is_named_with_its_key(tmp_path):
    with pytest.raises(UserError, match=r"^data\.path=nowhere does not exist: give a folder"):
        FolderDataModule("nowhere", str(tmp_path / "made"), 4).prepare_data()


def test_drawn_pictures_need_no_files():
    data = SyntheticDataModule(4, 32, seed=3, n=9)
    data.setup()
    assert data.pictures.shape == (9, 32, 32, 3) and list(data.rows) == list(range(9))
    assert data.mean_picture().abs().max() <= 1


@pytest.mark.parametrize(("free", "copied"), [(2 * 30 * 8 * 8 * 3, True), (2 * 30 * 8 * 8 * 3 - 1, False)])
def test_pictures_are_copied_to_a_gpu_only_if_they_take_half_of_its_free_memory_or_less(
    store, monkeypatch, free, copied
):
    data = FFHQDataModule(str(store), 4, resolution=8)
    data.setup()
    device = SimpleNamespace(type="cuda")
    module = SimpleNamespace(images_seen=0)
    data.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=device), lightning_module=module)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10**9))
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, device, **_: tensor)
    monkeypatch.setattr(datamodule, "send", lambda tensor, device: tensor)
    batches = data.train_dataloader()
    assert isinstance(batches.pictures, torch.Tensor) == copied and batches.device is device
    monkeypatch.setattr(datamodule, "send", lambda tensor, target: sent.append((len(tensor), target)) or tensor)
    sent = []
    assert batches.at(0).shape == (4, 8, 8, 3)
    assert sent == ([(4, batches.pictures.device)] if copied else [(4, device)])  # rows, or else pictures
