import io
import time

from ganfill.progress import WITHOUT_RATE, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines(monkeypatch, stderr):
    """Returns how often a bar of three pictures is written to ``stderr``, and all that is written."""
    monkeypatch.setattr("sys.stderr", stderr)
    with progress_bar(total=3, desc="pictures", bar_format=WITHOUT_RATE) as bar:
        bar.update()
        time.sleep(0.6)
        bar.update(2)
    return stderr.getvalue().count("pictures:"), stderr.getvalue()


def test_a_log_file_gets_a_line_at_the_start_and_one_at_the_end_of_a_short_job(monkeypatch):
    count, written = lines(monkeypatch, io.StringIO())
    assert count == 2
    assert " 0/3 [" in written and " 3/3 [" in written


def test_a_terminal_also_sees_the_bar_move(monkeypatch):
    count, written = lines(monkeypatch, Terminal())
    assert count > 2
    assert " 3/3 [" in written
