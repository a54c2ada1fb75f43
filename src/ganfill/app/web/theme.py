"""The page's theme, with the colours of the reports."""

from pathlib import Path

from gradio import themes

from ganfill.report.html import TEMPLATES

COLOURS = (TEMPLATES / "colours.css").read_text("utf-8")
STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif")
MONOSPACE_FONTS = ("ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace")

# Gradio's variables by our colour; the colours themselves follow the browser's light or dark mode.
VARIABLES = {
    "paper": "body_background_fill button_primary_text_color",
    "ink": "body_text_color block_title_text_color accordion_text_color button_secondary_text_color "
    "button_cancel_text_color",
    "soft": "body_text_color_subdued block_info_text_color block_label_text_color input_placeholder_color",
    "sheet": "background_fill_primary block_background_fill block_label_background_fill input_background_fill "
    "button_secondary_background_fill button_cancel_background_fill",
    "tint": "background_fill_secondary color_accent_soft button_secondary_background_fill_hover "
    "button_cancel_background_fill_hover",
    "line": "border_color_primary border_color_accent_subdued block_border_color block_label_border_color "
    "input_border_color button_secondary_border_color button_cancel_border_color",
    "accent": "border_color_accent link_text_color link_text_color_active link_text_color_hover link_text_color_visited "
    "input_border_color_focus slider_color loader_color button_primary_background_fill "
    "button_primary_background_fill_hover button_primary_border_color",
}


def theme() -> themes.Base:
    """Returns Gradio's plainest theme in our colours, with fonts of the visitor's system."""
    values = {name: f"var(--{colour})" for colour, names in VARIABLES.items() for name in names.split()}
    values |= {"button_border_width": "1px", "input_border_width": "1px"}
    values |= {f"{name}_dark": value for name, value in values.items()}
    base = themes.Base(radius_size=themes.sizes.radius_md, font=FONTS, font_mono=MONOSPACE_FONTS)
    return base.set(color_accent="var(--accent)", **values)
