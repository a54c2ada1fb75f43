"""Adds the pages that lie outside docs/ to the site, and makes links between them and docs/ work there.

On GitHub a link is relative to its file. In the site the content of docs/ lies at the top, beside README.md.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "experiments/README.md", "src/ganfill/packaged/*.md"),
    *("experiments/results/*.png", "notebooks/*.ipynb"),
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds pages and pictures from outside docs/."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrites links for the place that a page has in the site."""
    uri = page.file.src_uri
    if uri.startswith("experiments/"):
        return markdown.replace("](../docs/", "](../")
    if (ROOT / uri).exists():
        return markdown.replace("](docs/", "](")
    return markdown.replace("](../", "](") if "/" not in uri else markdown
