"""Fetches models and data sets from Hugging Face, and publishes models there (the extra ``hub``).

Names have the form ``hf://[datasets/]OWNER/NAME[@REVISION][/PATH]``. Fetched files are in Hugging Face's own cache and are
read from there without a network. No code of a repository is run.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ganfill.errors import UserError, first_line, require
from ganfill.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi, HfUri, ResolvedRevision

SCHEME = "hf://"
MODEL, CARD = "model.safetensors", "README.md"
SHOWN = 10
FORMS = {
    "model": f"{SCHEME}OWNER/NAME[@REVISION][/FILE]",
    "dataset": f"{SCHEME}datasets/OWNER/NAME[@REVISION][/FOLDER]",
}


@dataclass(frozen=True)
class Snapshot:
    """Fetched files of a data set.

    Attributes:
        path: their folder in Hugging Face's cache.
        name: ``OWNER/NAME`` and the requested path below it.
        files: sorted paths in ``path``, and the git hash of each, 40 hex digits.
    """

    path: Path
    name: str
    files: dict[str, str]


def fetch_model(name: str) -> Path:
    """Returns the path of a model file; fetches it if it is not in the cache.

    Args:
        name: ``hf://OWNER/NAME[@REVISION][/FILE]``; the default file is ``model.safetensors``.

    Raises:
        UserError: the repository, revision or file does not exist, is private or cannot be reached; or the extra is not
            installed.
    """
    with _user_errors(name, before="not in the cache, and "):
        from huggingface_hub.errors import RemoteEntryNotFoundError

        uri, api = _parse(name, "model"), _api()
        file = uri.path_in_repo or MODEL
        revision = api.resolve_revision(uri.id, revision=uri.revision)
        try:
            return Path(api.hf_hub_download(uri.id, file, revision=revision))
        except RemoteEntryNotFoundError:
            paths = api.list_repo_files(uri.id, revision=revision)
            models = ", ".join(sorted(path for path in paths if path.endswith(".safetensors")))
            remedy = f"append one of {models} to the name" if models else "it contains no model file"
            raise UserError(f"{name}: there is no {file} in it: {remedy}") from None


def fetch_data_set(name: str, choose: Callable[[Collection[str]], Sequence[str]]) -> Snapshot:
    """Fetches files of a data set that are not in the cache.

    Args:
        name: ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``; the path is a folder or a file.
        choose: selects at least one of the paths at or below that path.

    Raises:
        UserError: as for ``fetch_model``, or there is no file at the path.
    """
    with _user_errors(name, before="not in the cache, and "):
        uri, api = _parse(name, "dataset"), _api()
        revision = api.resolve_revision(uri.id, repo_type="dataset", revision=uri.revision)
        tree = _tree(api, uri, revision)
        inside = uri.path_in_repo.rstrip("/")
        files = {path: content for path, content in tree.items() if path == inside or path.startswith(_folder(inside))}
        if not files:
            top = ", ".join(sorted({path.partition("/")[0] for path in tree})[:SHOWN])
            raise UserError(f"{name}: there is no {inside or 'file'} in it, but {top or 'nothing'}")
        wanted = sorted(choose(files))
        # Patterns of suffixes, because the client takes hours to match a pattern for each of a hundred thousand pictures.
        suffixes = {"" if path == inside else "*." + escape(path.rpartition(".")[2]) for path in wanted}
        start = escape(inside) if inside in files else escape(_folder(inside))
        folder = api.snapshot_download(
            uri.id, repo_type="dataset", revision=revision, allow_patterns=sorted(start + suffix for suffix in suffixes)
        )
        return Snapshot(Path(folder), f"{uri.id}/{inside}".rstrip("/"), {path: files[path] for path in wanted})


def publish(folder: Path, files: Sequence[str], repo: str) -> str:
    """Uploads files of a folder as one version of a model; creates a public repository if there is none.

    Args:
        folder: the folder.
        files: names of the files.
        repo: ``OWNER/NAME``.

    Returns:
        The URL of the version.

    Raises:
        UserError: there is no token with write access, or the upload failed.
    """
    kept = f"{folder} is written, and the same command continues from there"
    with _user_errors(repo, more=f"; {kept}"):
        from huggingface_hub import get_token

        if get_token() is None:
            raise UserError(f"repo={repo} needs a token with write access: hf auth login, or set HF_TOKEN; {kept}")
        api = _api()
        api.create_repo(repo, exist_ok=True)
        message = f"Published by ganfill {__version__}"
        patterns = [escape(name) for name in files]
        info = api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns=patterns, commit_message=message)
        return info.commit_url


def check_repository(repo: str) -> None:
    """Raises ``UserError`` if ``repo`` is not a valid ``OWNER/NAME``, or the extra is not installed."""
    with _user_errors(f"repo={repo}"):
        uri = _parse(SCHEME + repo, "model")
    if uri.id != repo:
        raise UserError(f"repo={repo} is not a name of a model: write repo=OWNER/NAME")


def _parse(name: str, kind: str) -> "HfUri":
    from huggingface_hub import parse_hf_uri
    from huggingface_hub.errors import HfUriError

    try:
        uri = parse_hf_uri(name)
    except HfUriError as error:
        raise UserError(f"{name} is not a name of a {kind} ({first_line(error.msg)}): write {FORMS[kind]}") from None
    if uri.type != kind:
        raise UserError(f"{name} is a {uri.type}, not a {kind}: write {FORMS[kind]}")
    return uri


def _api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(library_name="ganfill", library_version=__version__)


def _tree(api: "HfApi", uri: "HfUri", revision: "ResolvedRevision") -> dict[str, str]:
    """Returns the files of a data set and their git hashes; from the cache if they were listed before."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        entries = get_cached_repo_tree(uri.id, repo_type="dataset", revision=revision)
    except CachedRepoTreeNotFoundError:
        entries = api.list_repo_tree(uri.id, recursive=True, repo_type="dataset", revision=revision.resolved)
    return {entry.path: entry.blob_id for entry in entries if isinstance(entry, RepoFile)}


def _folder(path: str) -> str:
    return f"{path}/" if path else ""


@contextmanager
def _user_errors(name: str, *, before: str = "", more: str = "") -> Iterator[None]:
    """Converts errors of Hugging Face, the network and the disk to ``UserError``.

    Args:
        name: begins the message.
        before: comes before the reason if the hub cannot be reached.
        more: ends the message.
    """
    require(name, "hub", "huggingface_hub")
    from huggingface_hub import utils

    log = utils.logging.get_logger()
    handlers, log.handlers = log.handlers, []  # its warnings then appear once, in our log
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if (reason := _explain(error, before)) is None:
            raise
        raise UserError(f"{name}: {reason}{more}") from None
    finally:
        log.handlers = handlers


def _explain(error: BaseException, before: str) -> str | None:
    """Returns the reason and the remedy; None for errors that are not of Hugging Face, the network or the disk."""
    import httpx2
    from huggingface_hub import constants, errors

    known = {
        errors.GatedRepoError: "access is restricted: request it on the repository's page, then log in with hf auth login",
        errors.RepositoryNotFoundError: "it does not exist or is private: check the name, or log in with hf auth login",
        errors.RevisionNotFoundError: "it has no such revision: check the part after the @",
        errors.OfflineModeIsEnabled: f"{before}HF_HUB_OFFLINE forbids to connect: unset it and try again",
    }
    expected = isinstance(error, OSError | ValueError | RuntimeError)
    if isinstance(error, errors.RevisionResolutionError | errors.LocalEntryNotFoundError | RuntimeError):
        error = error.__cause__ or error
    for kind, reason in known.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, errors.HfHubHTTPError):
        status, reason = error.response.status_code, error.server_message or error.response.reason_phrase
        remedy = "log in with a token that has access: hf auth login" if status in (401, 403) else "try again later"
        return f"{constants.ENDPOINT} answers {status} ({first_line(reason)}): {remedy}"
    if isinstance(error, httpx2.HTTPError):
        return f"{before}{constants.ENDPOINT} cannot be reached ({first_line(error)}): try again with a network"
    if expected:
        return f"it failed ({first_line(error)}): fix that and try again"
    return None
