import threading

import pytest

from ganfill.cancellation import cancellable, check_cancelled


def test_the_innermost_check_is_called_and_none_outside():
    calls = []
    check_cancelled()
    with cancellable(lambda: calls.append("outer")):
        check_cancelled()
        with cancellable(lambda: calls.append("inner")):
            check_cancelled()
        check_cancelled()
    check_cancelled()
    assert calls == ["outer", "inner", "outer"]


def test_an_exception_of_the_check_ends_the_block_and_the_check():
    with pytest.raises(TimeoutError), cancellable(lambda: (_ for _ in ()).throw(TimeoutError)):
        check_cancelled()
    check_cancelled()


def test_other_threads_are_not_checked():
    calls = []
    with cancellable(lambda: calls.append(1)):
        thread = threading.Thread(target=check_cancelled)
        thread.start()
        thread.join()
    assert not calls
