"""Pictures in files and folders, and the names of their results."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from ganfill.errors import UserError
from ganfill.files import identify, identities, walk
from ganfill.images.formats import explain_refusal, suffixes

ENDS = ("_strip", "_mean", "_uncertainty")  # appended to names of further pictures


def find_pictures(places: Iterable[str], leave_out: Iterable[Path] = ()) -> dict[str, Path]:
    """Finds the pictures of files and folders (at any depth), by the name of their results.

    A picture is named by its stem; if stems clash, by its path below the folder. Hidden files, and the files and folders of
    ``leave_out`` such as masks and earlier results, are skipped. A named file is skipped only if it is itself left out.

    Raises:
        UserError: a file or folder does not exist, or there are no pictures.
    """
    places, leave_out = list(places), list(leave_out)
    excluded = identities(leave_out)
    found: dict[Path, Path] = {}
    for place in map(Path, places):
        if place.is_dir():
            inside = sorted(
                path for path in walk(place, leave_out) if path.suffix.lower() in suffixes() and path.is_file()
            )
            found |= {identify(path): path.relative_to(place) for path in inside}
        elif not place.is_file():
            raise UserError(f"images={place}: no such file or folder")
        elif identify(place) not in excluded:
            found[identify(place)] = Path(place.name)
    if not found:
        raise UserError(
            f"images={','.join(map(str, places))}: no pictures there, apart from those of out= and mask=; "
            "give picture files or a folder of them"
        )
    return {name: path for path, name in _name(found).items()}


def find_others(places: Iterable[str], leave_out: Collection[Path] = ()) -> dict[str, str]:
    """Returns the files in folders that ``find_pictures`` passes over, and the reasons; hidden ones are not counted."""
    folders = [Path(place) for place in places if Path(place).is_dir()]
    files = [path for folder in folders for path in walk(folder, leave_out)]
    others = {str(path): explain_refusal(path.name) for path in files if path.suffix.lower() not in suffixes()}
    return others | {str(path): "no regular file" for path in files if not path.is_file()}


def _name(found: dict[Path, Path]) -> dict[Path, str]:
    """Names of results by identity: the shortest that keep the pictures and their strips distinct."""
    names = {path: path.stem for path in found}
    forms = (
        lambda path: "_".join(found[path].with_suffix("").parts),
        lambda path: "_".join(found[path].parts),
        lambda path: f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}",
    )
    for form in forms:
        taken = Counter(word.lower() for name in names.values() for word in (name, *(name + end for end in ENDS)))
        names |= {path: form(path) for path, name in names.items() if taken[name.lower()] > 1}
    return names
