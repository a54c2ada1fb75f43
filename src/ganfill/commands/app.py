"""``ganfill app``: the page and the API."""

from contextlib import ExitStack, closing, suppress
from importlib.util import find_spec

from omegaconf import DictConfig

from ganfill.config import as_words
from ganfill.devices import choose_device
from ganfill.errors import UserError

NEEDED = ("fastapi", "filelock", "multipart", "uvicorn")  # modules of the extra ``app``
NEEDED_BY_PAGE = ("gradio",)


def run(config: DictConfig) -> str:
    """Serves until it is interrupted; returns what to say then.

    Raises:
        UserError: the extra ``app`` is not installed, the address is taken, or a model or a limit cannot be used.
    """
    needed = NEEDED + NEEDED_BY_PAGE * config.page
    if missing := [name for name in needed if find_spec(name) is None]:
        raise UserError(f"ganfill app needs {', '.join(missing)}: pip install 'ganfill[app]'")
    from ganfill.app import server, upload_folder
    from ganfill.app.service import Limits, Service

    limits = Limits(config.megabytes, config.megapixels, config.waiting, config.seconds, config.answers)
    with ExitStack() as opened:
        opened.enter_context(server.closed_by_signals())
        taken = opened.enter_context(closing(server.listen(str(config.host), int(config.port))))
        hosts = as_words(config.hosts)
        service = Service(as_words(config.models), choose_device(config.device), limits)
        pictures = opened.enter_context(upload_folder.folder()) if config.page else None
        app = server.build(service, server.names(taken, str(config.host), hosts), pictures)
        with suppress(KeyboardInterrupt):
            print(f"ganfill listens on {server.address(taken, hosts)}; Ctrl-C ends it", flush=True)
            server.serve(app, taken)
    return "ganfill listens no more"
