"""What configuration files may read: bounded files, and no variables of the environment."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf
from omegaconf.resolvers import oc

from ganfill.errors import UserError
from ganfill.text_files import LARGEST_YAML, parse_yaml, read_text

ENVIRONMENT = "oc.env"  # the one resolver that reads more than the configuration


class FileConfigSource(file_config_source.FileConfigSource):
    """Files of directories such as that of ``-cd``. Hydra identifies the class by its name."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Loads a file.

        Raises:
            UserError: it is too large or no YAML.
        """
        path = Path(self.path, self._normalize_file_name(config_path))
        try:
            parse_yaml(read_text(path, LARGEST_YAML))
        except ValueError as error:
            raise UserError(f"{path} cannot be read ({error}): correct it") from None
        return super().load_config(config_path)


@contextmanager
def checked_files(words: Sequence[str]) -> Iterator[None]:
    """Makes Hydra load files by the class above, and refuse the variables of the environment that ``words`` do not name."""

    def env(name: str, *default: Any) -> Any:
        if not re.search(rf"{re.escape(ENVIRONMENT)}:\s*['\"]?{re.escape(name)}['\"]?\s*[,}}]", " ".join(words)):
            raise UserError(
                f"${{{ENVIRONMENT}:{name}}} in a configuration file is refused, since it reads the environment: give the "
                "value on the command line"
            )
        return oc.env(name, *default)

    Plugins.instance()  # finds Hydra's own class, once in a process
    SourcesRegistry.instance().types["file"] = FileConfigSource
    OmegaConf.register_new_resolver(ENVIRONMENT, env, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver(ENVIRONMENT, oc.env, replace=True)
