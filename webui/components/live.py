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
SAY = CONNECT.replace("grouper.live(element, props, watch, trigger)", "grouperWords.translate(element)")
CONNECT_CHARTS = CONNECT.replace("grouper.live", "grouperCharts")
# What the page's load handler is given: the key of what came with the page, see `webui.serving.first_paint`.
ARRIVES = "() => [window.grouper?.arrives() ?? '']"
CHARTS = """
<div class="chart-tools">
  <label>Smoothing <input type="range" min="0" max="0.95" step="0.05" data-smooth></label>
  <fieldset><legend class="unseen">Horizontal axis</legend>
    <label><input type="radio" name="axis" value="step" data-axis>Steps</label>
    <label><input type="radio" name="axis" value="time" data-axis>Time</label></fieldset>
  <button type="button" class="small-button" data-unzoom>See all</button>
  <span class="hint">Drag over a chart to zoom all of them</span>
</div>
<div class="charts" role="group" aria-label="LABEL" style="--charts:COUNT"></div>
<details class="fold" data-figures><summary>Figures as a table</summary>
  <div class="scroll tall" tabindex="0" role="region" aria-label="Figures by step"></div></details>
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
    """HTML that never changes, in the reader's language."""
    return gr.HTML(html, js_on_load=SAY, apply_default_css=False, **options)


def asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def chart_wall(label: str, count: int, **options: Any) -> gr.HTML:
    """Charts drawn by uPlot; the value is made in `webui.components.charts`. The room for `count` of them is kept."""
    return gr.HTML(
        None,
        html_template=CHARTS.replace("LABEL", label).replace("COUNT", str(count)),
        js_on_load=CONNECT_CHARTS,
        apply_default_css=False,
        **options,
    )
