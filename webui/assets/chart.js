// Curves over steps, drawn by uPlot. Zoom by dragging, back by double click; an update keeps the zoom.
window.grouperChart = (element, props, watch) => {
  const box = element.querySelector(".chart-canvas");
  let plot = null;
  let names = "";
  let zoomed = false;
  const HEIGHT = 260;

  const colour = (name) => getComputedStyle(box).getPropertyValue(name).trim();
  const figure = (value) => (value == null ? "–" : String(Number(value.toPrecision(3))));

  function options({ series, unit }) {
    const axis = {
      stroke: colour("--ink-soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    return {
      width: box.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: true, y: false }, points: { size: 7 } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000], size: 32 },
        { ...axis, size: 48, values: (_, ticks) => ticks.map(figure) },
      ],
      series: [
        { label: "Step", value: (_, value) => (value == null ? "–" : String(value)) },
        ...series.map((line) => ({
          label: line.name,
          stroke: colour(line.colour),
          width: line.main ? 2.5 : 1.5,
          dash: line.main ? undefined : [6, 3],
          points: { show: series[0].values.length < 3, size: 6 },
          value: (_, value) => figure(value),
          spanGaps: true,
        })),
      ],
      hooks: { setSelect: [() => (zoomed = true)], setCursor: [rest] },
    };
  }

  // Without a pointer the legend reads the last step.
  function rest(plot) {
    if (plot.cursor.left < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
  }

  function draw(rebuild) {
    const data = props.value;
    if (!data || !data.steps || !data.steps.length) {
      plot?.destroy();
      plot = null;
      return;
    }
    const columns = [data.steps, ...data.series.map((line) => line.values)];
    const shown = data.series.map((line) => line.name).join("\n");
    if (plot && !rebuild && shown === names) {
      const { min, max } = plot.scales.x;
      plot.setData(columns, !zoomed);
      if (zoomed) plot.setScale("x", { min, max });
      queueMicrotask(() => rest(plot));
      return;
    }
    plot?.destroy();
    names = shown;
    plot = new uPlot(options(data), columns, box);
    plot.over.addEventListener("dblclick", () => (zoomed = false));
  }

  new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: HEIGHT })).observe(box);
  new MutationObserver(() => draw(true)).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  watch("value", () => draw(false));
  draw(false);
};
