import pytest
import torch

from ganfill.search.batching import PREVIEW_SECONDS, Recorder, in_chunks
from ganfill.search.result import Completion, SearchOptions
from ganfill.search.target import Target


@pytest.fixture
def target():
    images = torch.rand(7, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return Target.of(images, torch.zeros(7, 1, 4, 4, dtype=torch.bool))


def shown(calls=None):
    """A search that finds the pictures themselves."""

    def search(chunk, recorder):
        if calls is not None:
            calls.append((len(chunk), recorder.count))
        image, level = chunk.image, chunk.image.mean((1, 2, 3))[:, None]
        return Completion(
            image[:, None], level[..., None], level, level + 1, [image, -image], image / 2, (image - 1, image + 1), 2.5
        )

    return search


@pytest.mark.parametrize("deterministic", [False, True])
def test_chunks_are_put_together_again(target, deterministic):
    calls = []
    found = in_chunks(shown(calls), target, SearchOptions(deterministic=deterministic), 1, items=2, batch=9)
    assert calls == [(4, 4), (4 if deterministic else 3, 3)]
    image = target.image
    assert torch.equal(found.pictures[:, 0], image) and torch.equal(found.mean, image / 2)
    assert isinstance(found.interval, tuple) and isinstance(found.frames, list)
    assert torch.equal(found.interval[0], image - 1) and torch.equal(found.interval[1], image + 1)
    assert [torch.equal(a, b) for a, b in zip(found.frames, (image, -image), strict=True)] == [True, True]
    assert torch.equal(found.errors, found.scores + 1) and found.latents.shape == (7, 1, 1) and found.passes == 2.5


def test_what_a_search_does_not_give_stays_away(target):
    def search(chunk, recorder):
        return Completion(chunk.image[:, None], *[torch.zeros(len(chunk), 1)] * 3)

    found = in_chunks(search, target, SearchOptions(), 1, 1, 4)
    assert found.mean is None and found.interval is None and found.frames == [] and found.pictures.shape[0] == 7


def test_a_deterministic_chunk_has_one_size_whatever_there_is(target):
    calls = []
    for n in (1, 3, 7):
        in_chunks(shown(calls), target.pick(0, n), SearchOptions(deterministic=True), 1, items=2, batch=256)
    assert calls == [(8, 1), (8, 3), (8, 7)]


def test_a_picture_that_alone_exceeds_the_batch_is_still_searched(target):
    calls = []
    in_chunks(shown(calls), target.pick(0, 2), SearchOptions(), 1, items=100, batch=8)
    assert calls == [(1, 1), (1, 1)]


def test_nothing_to_search(target):
    with pytest.raises(ValueError, match="no pictures to complete"):
        in_chunks(shown(), target.pick(0, 0), SearchOptions(), 1, 1, 8)


def test_frames_show_the_candidate_with_the_least_loss_at_even_moments(target):
    reports = []
    options = SearchOptions(frames=3, on_progress=lambda progress: reports.append(progress.pictures))
    recorder = Recorder(options, 9, 2, target.pick(0, 2))
    for step in range(9):
        pictures = torch.full((2, 2, 3, 4, 4), float(step))
        pictures[:, 1] += 0.5
        recorder(pictures, torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert [frame[:, 0, 0, 0].tolist() for frame in recorder.frames] == [[0, 0.5], [4, 4.5], [8, 8.5]]
    assert len(reports) == 9 and sum(reports) == pytest.approx(2)


def test_previews_show_known_pixels_and_the_leading_candidate_now_and_then(target, monkeypatch):
    now, reports = [100.0], []
    monkeypatch.setattr("ganfill.search.batching.time.monotonic", lambda: now[0])
    seen = target.hide((torch.arange(16).reshape(1, 1, 4, 4) < 5).float()).pick(0, 2)
    recorder = Recorder(SearchOptions(on_progress=reports.append), 9, 1, seen)
    for step in range(9):
        pictures = torch.full((2, 2, 3, 4, 4), float(step))
        pictures[:, 1] += 0.5
        recorder(pictures, torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        now[0] += PREVIEW_SECONDS / 2.5
    shown = [progress.preview for progress in reports if progress.preview is not None]
    known = seen.known[:1] > 0
    assert len(reports) == 9
    assert [each[~known.expand_as(each)].mean() for each in shown] == [0, 3, 6]
    assert all(torch.equal(each, torch.where(known, seen.image[:1], each)) for each in shown)


def test_a_recorder_without_wishes_keeps_nothing(target):
    recorder = Recorder(SearchOptions(), 0, 1, target.pick(0, 1))
    recorder(torch.zeros(1, 1, 3, 4, 4), torch.zeros(1, 1))
    assert recorder.frames == []
