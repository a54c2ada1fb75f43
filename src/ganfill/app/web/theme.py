"""How the page looks: of one family with our reports."""

from pathlib import Path

from gradio import themes

from ganfill.report.html import TEMPLATES

COLOURS = (TEMPLATES / "colours.css").read_text("utf-8")
STYLE = Path(__file__).with_name("page.css").read_text("utf-8")

# Gradio's names for ours, which follow the visitor's choice of light or dark by themselves.
NAMES = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "soft",
    "background_fill_primary": "sheet",
    "background_fill_secondary": "tint",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "border_color_accent_subdued": "line",
    "color_accent_soft": "tint",
    "link_text_color": "accent",
    "link_text_color_active": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_visited": "accent",
    "block_background_fill": "sheet",
    "block_border_color": "line",
    "block_info_text_color": "soft",
    "block_label_background_fill": "sheet",
    "block_label_border_color": "line",
    "block_label_text_color": "soft",
    "block_title_text_color": "ink",
    "accordion_text_color": "ink",
    "input_background_fill": "sheet",
    "input_border_color": "line",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "soft",
    "slider_color": "accent",
    "loader_color": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_border_color": "accent",
    "button_primary_text_color": "paper",
    "button_secondary_background_fill": "sheet",
    "button_secondary_background_fill_hover": "tint",
    "button_secondary_border_color": "line",
    "button_secondary_text_color": "ink",
    "button_cancel_background_fill": "sheet",
    "button_cancel_background_fill_hover": "tint",
    "button_cancel_border_color": "line",
    "button_cancel_text_color": "ink",
}


def theme() -> themes.Base:
    """Gradio's plainest theme in our colours, with fonts that the visitor has."""
    colours = {f"{name}{end}": f"var(--{ours})" for name, ours in NAMES.items() for end in ("", "_dark")}
    plain = themes.Base(
        radius_size=themes.sizes.radius_md,
        font=("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif"),
        font_mono=("ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"),
    )
    lines = {f"{name}_border_width{end}": "1px" for name in ("button", "input") for end in ("", "_dark")}
    return plain.set(color_accent="var(--accent)", **lines, **colours)
