"""Pictures about pictures: strips, contact sheets, animations."""

from ganfill.report.figures import damaged, grid, save, save_gif, strip

__all__ = ["damaged", "grid", "save", "save_gif", "strip"]
