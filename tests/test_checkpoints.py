import threading

import pytest

from ganfill.checkpoints import checked, checkpoint


def test_the_innermost_check_is_called_and_none_outside():
    calls = []
    checkpoint()
    with checked(lambda: calls.append("outer")):
        checkpoint()
        with checked(lambda: calls.append("inner")):
            checkpoint()
        checkpoint()
    checkpoint()
    assert calls == ["outer", "inner", "outer"]


def test_an_exception_of_the_check_ends_the_block_and_the_check():
    with pytest.raises(TimeoutError), checked(lambda: (_ for _ in ()).throw(TimeoutError)):
        checkpoint()
    checkpoint()


def test_other_threads_are_not_checked():
    calls = []
    with checked(lambda: calls.append(1)):
        thread = threading.Thread(target=checkpoint)
        thread.start()
        thread.join()
    assert not calls
