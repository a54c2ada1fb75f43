"""Hugging Face by name: models and data sets are fetched, folders are published (the extra ``hub``).

A name is ``hf://[datasets/]OWNER/NAME[@REVISION][/PATH]``. What was fetched once is in Hugging Face's own cache and is read
from there when there is no network. Files alone are fetched; no code of a repository is ever run.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ganfill.errors import UserError, first_line
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
    """Files of a data set, fetched.

    Attributes:
        path: the folder that they are in, a part of Hugging Face's cache.
        name: ``OWNER/NAME``, and the path below it that was asked for.
        files: paths in ``path``, sorted, and what git calls their content, 40 hex digits.
    """

    path: Path
    name: str
    files: dict[str, str]


def fetch_model(name: str) -> Path:
    """The path of a model file, fetched if it is not in the cache.

    Args:
        name: ``hf://OWNER/NAME[@REVISION][/FILE]``; the file is ``model.safetensors`` if none is named.

    Raises:
        UserError: there is no such repository, revision or file, it may not be read or is out of reach, or the extra is
            not installed.
    """
    with _told(name, before="not in the cache, and "):
        from huggingface_hub.errors import RemoteEntryNotFoundError

        place, api = _parse(name, "model"), _api()
        file = place.path_in_repo or MODEL
        revision = api.resolve_revision(place.id, revision=place.revision)
        try:
            return Path(api.hf_hub_download(place.id, file, revision=revision))
        except RemoteEntryNotFoundError:
            paths = api.list_repo_files(place.id, revision=revision)
            there = sorted(path for path in paths if path.endswith(".safetensors"))
            known = f"name one of {', '.join(there)} after it" if there else "it holds no model file at all"
            raise UserError(f"{name}: there is no {file} in it: {known}") from None


def fetch_data_set(name: str, choose: Callable[[Collection[str]], Sequence[str]]) -> Snapshot:
    """Fetches files of a data set; those that are in the cache already are not fetched again.

    Args:
        name: ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``; the path is a folder or a file.
        choose: from the paths at or below that path to those that are wanted, at least one.

    Raises:
        UserError: as for ``fetch_model``, or there is nothing at the path.
    """
    with _told(name, before="not in the cache, and "):
        place, api = _parse(name, "dataset"), _api()
        revision = api.resolve_revision(place.id, repo_type="dataset", revision=place.revision)
        tree = _tree(api, place, revision)
        inside = place.path_in_repo.rstrip("/")
        found = {path: content for path, content in tree.items() if path == inside or path.startswith(_folder(inside))}
        if not found:
            top = ", ".join(sorted({path.partition("/")[0] for path in tree})[:SHOWN])
            raise UserError(f"{name}: there is no {inside or 'file'} in it, but {top or 'nothing'}")
        wanted = sorted(choose(found))
        # By their endings: a pattern for each of a hundred thousand pictures would take the client hours to match.
        endings = {"" if path == inside else "*." + escape(path.rpartition(".")[2]) for path in wanted}
        start = escape(inside) if inside in found else escape(_folder(inside))
        folder = api.snapshot_download(
            place.id, repo_type="dataset", revision=revision, allow_patterns=sorted(start + end for end in endings)
        )
        return Snapshot(Path(folder), f"{place.id}/{inside}".rstrip("/"), {path: found[path] for path in wanted})


def publish(folder: Path, files: Sequence[str], repo: str) -> str:
    """Uploads files of a folder as one version of a model; the repository is made, for all to see, if it is not there.

    Args:
        folder: where the files are.
        files: their names.
        repo: ``OWNER/NAME``.

    Returns:
        The address of the version.

    Raises:
        UserError: there is no token, it may not write there, or the upload failed.
    """
    kept = f"{folder} is written, and the same command again goes on from there"
    with _told(repo, more=f"; {kept}"):
        from huggingface_hub import get_token

        if get_token() is None:
            raise UserError(f"repo={repo} needs a token that may write: hf auth login, or set HF_TOKEN; {kept}")
        api = _api()
        api.create_repo(repo, exist_ok=True)
        message = f"Published by ganfill {__version__}"
        patterns = [escape(name) for name in files]
        info = api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns=patterns, commit_message=message)
        return info.commit_url


def check_repository(repo: str) -> None:
    """Raises ``UserError`` if ``repo`` is not ``OWNER/NAME`` as Hugging Face takes them, or the extra is not installed."""
    with _told(f"repo={repo}"):
        place = _parse(SCHEME + repo, "model")
    if place.id != repo:
        raise UserError(f"repo={repo} is no name of a model: write repo=OWNER/NAME")


def _parse(name: str, kind: str) -> "HfUri":
    from huggingface_hub import parse_hf_uri
    from huggingface_hub.errors import HfUriError

    try:
        place = parse_hf_uri(name)
    except HfUriError as error:
        raise UserError(f"{name} is no name of a {kind} ({first_line(error.msg)}): write {FORMS[kind]}") from None
    if place.type != kind:
        raise UserError(f"{name} is a {place.type}, not a {kind}: write {FORMS[kind]}")
    return place


def _api() -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi(library_name="ganfill", library_version=__version__)


def _tree(api: "HfApi", place: "HfUri", revision: "ResolvedRevision") -> dict[str, str]:
    """The files of a data set and what git calls their content; from the cache if it was listed before."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        entries = get_cached_repo_tree(place.id, repo_type="dataset", revision=revision)
    except CachedRepoTreeNotFoundError:
        entries = api.list_repo_tree(place.id, recursive=True, repo_type="dataset", revision=revision.resolved)
    return {entry.path: entry.blob_id for entry in entries if isinstance(entry, RepoFile)}


def _folder(path: str) -> str:
    return f"{path}/" if path else ""


@contextmanager
def _told(name: str, *, before: str = "", more: str = "") -> Iterator[None]:
    """Turns what can go wrong between here and the hub into a ``UserError`` of one line.

    Args:
        name: what it is about.
        before: what is said before that the hub cannot be reached.
        more: what is added to any of them.
    """
    try:
        from huggingface_hub import utils
    except ImportError:
        raise UserError(f"{name} needs huggingface_hub: pip install 'ganfill[hub]'") from None
    log = utils.logging.get_logger()
    handlers, log.handlers = log.handlers, []  # its warnings go to our log alone, once
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
    """What went wrong and what to do, or None if it is no error of Hugging Face, the network or the disk."""
    import httpx2
    from huggingface_hub import constants, errors

    known = {
        errors.GatedRepoError: "it is gated: ask for access on its page there, then log in with hf auth login",
        errors.RepositoryNotFoundError: "there is none, or it is private: check the name, or log in with hf auth login",
        errors.RevisionNotFoundError: "it has no such revision: check what stands after the @",
        errors.OfflineModeIsEnabled: f"{before}HF_HUB_OFFLINE forbids to go there: unset it and try again",
    }
    ordinary = isinstance(error, OSError | ValueError | RuntimeError)
    if isinstance(error, errors.RevisionResolutionError | errors.LocalEntryNotFoundError | RuntimeError):
        error = error.__cause__ or error
    for kind, reason in known.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, errors.HfHubHTTPError):
        status, reason = error.response.status_code, error.server_message or error.response.reason_phrase
        remedy = "log in with a token that may: hf auth login" if status in (401, 403) else "try again later"
        return f"{constants.ENDPOINT} answers {status} ({first_line(reason)}): {remedy}"
    if isinstance(error, httpx2.HTTPError):
        return f"{before}{constants.ENDPOINT} is out of reach ({first_line(error)}): try again when there is a network"
    if ordinary:
        return f"it failed ({first_line(error)}): mend that and try again"
    return None
