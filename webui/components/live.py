"""A gr.HTML that redraws only what changed, and the chart component beside it.

Gradio's own redraw closes panels that the reader opened. Here the component stays an empty frame and `grouper.js`
brings its inside to the new value, keeping open panels, scroll positions and focus.
"""

from pathlib import Path
from typing import Any

import gradio as gr

ASSETS = Path(__file__).resolve().parent.parent / "assets"
# The page's script may arrive after the component: wait for it.
CONNECT = """
const connect = () => window.grouper ? grouper.live(element, props, watch, trigger) : setTimeout(connect, 10);
connect();
"""


def live(value: str = "", **options: Any) -> gr.HTML:
    """An empty frame for HTML that changes while people look at it.

    The template must stay constant and never hold `{{value}}`: Gradio evaluates templates as code, and the value
    carries other people's text.
    """
    return gr.HTML(
        value,
        html_template='<div class="live"></div>',
        js_on_load=CONNECT,
        apply_default_css=False,
        **options,
    )


def still(html: str, **options: Any) -> gr.HTML:
    """HTML that never changes."""
    return gr.HTML(html, js_on_load=None, apply_default_css=False, **options)


def asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def curve_chart(label: str, **options: Any) -> gr.HTML:
    """Curves over steps, drawn by uPlot; its value is made by `webui.components.curves.curves`."""
    head = (
        f"<script>{asset('uPlot.iife.min.js')}</script><script>{asset('chart.js')}</script>"
        f"<style>{asset('uPlot.min.css')}</style>"
    )
    return gr.HTML(
        None,
        html_template=f'<div class="chart-canvas" role="img" aria-label="{label}"></div>',
        js_on_load="grouperChart(element, props, watch);",
        apply_default_css=False,
        head=head,
        **options,
    )
