"""The look of Gradio's own controls: neutral greys, one accent, the system's type.

Gradio writes these as CSS variables; everything else, light and dark, is in assets/styles, joined as STYLES has them.
"""

from gradio.themes import Base
from gradio.themes.utils import sizes
from gradio.themes.utils.colors import Color

ACCENT = Color(
    c50="#e8f4f6", c100="#cfe8ec", c200="#a3d2d9", c300="#74bac5", c400="#3f9dac", c500="#12808f",
    c600="#0c6876", c700="#0a5662", c800="#08454e", c900="#06343b", c950="#04262b", name="accent",
)  # fmt: skip
GREY = Color(
    c50="#f7f8f8", c100="#eff1f2", c200="#e1e4e6", c300="#c9ced2", c400="#949ca3", c500="#69727a",
    c600="#525a61", c700="#3b4248", c800="#23282c", c900="#181b1e", c950="#101214", name="grey",
)  # fmt: skip
SYSTEM = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
# assets/styles/NAME.css; a later one may change what an earlier one says.
STYLES = (
    "uplot",
    "tokens",
    "frame",
    "pieces",
    "tables",
    "acting",
    "run",
    "bars",
    "answers",
    "compare",
    "launch",
    "tasks",
    "phone",
    "checks",
    "finder",
)


def grouper_theme() -> Base:
    theme = Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=GREY,
        text_size=sizes.text_sm,
        spacing_size=sizes.spacing_sm,
        radius_size=sizes.radius_sm,
        font=SYSTEM,
        font_mono=MONO,
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="#e6e9eb",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="#a4adb4",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#30363b",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0",
        block_label_text_size="*text_sm",
        block_title_text_weight="550",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_info_text_color="*body_text_color_subdued",
        block_info_text_color_dark="*body_text_color_subdued",
        block_info_text_size="12.5px",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_color="*neutral_300",
        input_border_color_dark="#3a4147",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="0 0 0 3px *primary_100",
        input_shadow_focus_dark="0 0 0 3px *primary_900",
        input_padding="7px 10px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_large_radius="6px",
        button_large_text_size="*text_md",
        button_large_text_weight="550",
        button_large_padding="10px 16px",
        button_transition="background-color 120ms",
        layout_gap="16px",
        form_gap_width="16px",
    )
