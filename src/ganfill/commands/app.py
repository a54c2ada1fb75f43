"""The command ``ganfill app``: serves the page and the API."""

from contextlib import ExitStack, closing

from omegaconf import DictConfig

from ganfill import interrupts
from ganfill.config import as_words
from ganfill.devices import choose_device
from ganfill.errors import require

NEEDED = ("fastapi", "multipart", "uvicorn")  # modules of the extra ``app``
NEEDED_BY_PAGE = ("gradio",)


def run(config: DictConfig) -> str:
    """Serves until it is interrupted; returns the final message.

    Raises:
        UserError: the extra ``app`` is not installed, the address is in use, or a model or a limit is invalid.
    """
    require("ganfill app", "app", *NEEDED, *NEEDED_BY_PAGE * config.page)
    from ganfill.app import server, upload_folder
    from ganfill.app.limits import Limits
    from ganfill.app.service import Service

    host, hosts = str(config.host), as_words(config.hosts)
    names = ("megabytes", "megapixels", "waiting", "seconds", "answers", "total_megapixels")
    limits = Limits(**{name: config[name] for name in names})
    with ExitStack() as stack:
        listener = stack.enter_context(closing(server.listen(host, int(config.port))))
        service = Service(as_words(config.models), choose_device(config.device), limits)
        pictures = stack.enter_context(upload_folder.temporary_folder()) if config.page else None
        app = server.build(service, server.host_names(listener, host, hosts), pictures)
        print(f"ganfill listens on {server.url(listener, hosts)}; press Ctrl-C to stop", flush=True)
        try:
            server.uvicorn_server(app).run([listener])
        except interrupts.Terminated:
            raise
        except KeyboardInterrupt:  # the way to stop it
            interrupts.forget()
    return "ganfill has stopped"
