// A wall of charts over the same steps, drawn by uPlot: one cursor, one zoom, one smoothing for all of them.
//
// The value brings sources (a run each: steps, times, columns of figures) and charts (titles, and lines that name a
// source and a column). A source with `after` continues what is here; without it, it takes the old one's place.
window.grouperCharts = (element, props, watch, trigger) => {
  const root = element.querySelector(".charts");
  const { say } = grouperWords;
  grouperWords.translate(element);
  const asked = new URL(location.href).searchParams;
  const state = { smooth: Number(asked.get("smooth")) || 0, axis: asked.get("axis") === "time" ? "time" : "step", zoom: null };
  const sources = new Map();
  const cards = new Map();
  let charts = [];
  let moving = false; // while one chart moves the others

  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim() || name;

  const FIGURES = {
    "%": (value) => `${Number((100 * value).toPrecision(3))}%`,
    s: (value) => (value < 10 ? `${Number(value.toPrecision(2))} s` : grouper.duration(value)),
    GiB: (value) => `${value.toFixed(1)} GiB`,
    "tokens/s": (value) => thin(Math.round(value)),
    tokens: (value) => thin(Math.round(value)),
  };
  const thin = (whole) => String(whole).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
  const plain = (value) => (Math.abs(value) >= 1000 ? thin(Math.round(value)) : String(Number(value.toPrecision(3))));
  const minus = (text) => text.replace(/^-/, "\u2212");
  const figure = (value, unit) => (value == null ? "–" : minus((FIGURES[unit] || plain)(value)));

  // Figures along an axis, all with as many decimals as their distance has: 1.275, 1.300, 1.325.
  const AXES = { "%": "%", s: " s", GiB: " GiB" };
  const MOST_DECIMALS = 6;
  function marks(ticks, unit, apart) {
    const times = unit === "%" ? 100 : 1;
    const exact = (decimals) => Math.abs(apart * times * 10 ** decimals - Math.round(apart * times * 10 ** decimals)) < 1e-6;
    let decimals = 0;
    while (decimals < MOST_DECIMALS && !exact(decimals)) decimals++;
    const far = Math.max(...ticks.map(Math.abs));
    if (!exact(decimals) || far >= 1000 || (unit === "s" && far >= 60)) return ticks.map((tick) => figure(tick, unit));
    return ticks.map((tick) => minus((tick * times).toFixed(tick ? decimals : 0)) + (AXES[unit] ?? ""));
  }

  function take(value) {
    const ids = new Set(value.sources.map((source) => source.id));
    for (const id of sources.keys()) if (!ids.has(id)) sources.delete(id);
    let lost = false;
    for (const source of value.sources) {
      const old = sources.get(source.id);
      if (!source.after) sources.set(source.id, source);
      else if (!old || source.after > last(old)) lost = true;
      else append(old, source);
    }
    charts = value.charts.map(said);
    if (lost) trigger("tick", { again: true });
  }

  // Titles and lines in the reader's language; a line that is a run keeps the name it was given.
  const said = (chart) => ({
    ...chart,
    title: say(chart.title),
    about: say(chart.about),
    empty: say(chart.empty || "Drawn from the first step on."),
    lines: chart.lines.map((line) => ({ ...line, name: line.given ? line.name : say(line.name) })),
  });

  const last = (source) => source.steps[source.steps.length - 1] ?? 0;

  // The newest point of before may be off the chart's grid: it was there as the newest, and goes with the next one.
  function append(old, fresh) {
    const keep = last(old) % fresh.stride ? old.steps.length - 1 : old.steps.length;
    const from = fresh.steps.findIndex((step) => step > (old.steps[keep - 1] ?? 0));
    if (from < 0) return;
    const join = (mine, more) => [...(mine || Array(keep).fill(null)).slice(0, keep), ...more.slice(from)];
    for (const name of Object.keys(fresh.values)) old.values[name] = join(old.values[name], fresh.values[name]);
    old.steps = join(old.steps, fresh.steps);
    old.at = join(old.at, fresh.at);
    Object.assign(old, { name: fresh.name, stride: fresh.stride });
  }

  // Exponential smoothing without its pull towards the start.
  function smoothed(values) {
    if (!state.smooth) return values;
    let sum = 0;
    let weight = 0;
    return values.map((value) => {
      if (value == null) return null;
      sum = state.smooth * sum + (1 - state.smooth) * value;
      weight = state.smooth * weight + (1 - state.smooth);
      return sum / weight;
    });
  }

  // [x, y, y, ...] for one chart, its lines in order; x are steps, or seconds since the source's first step.
  function columns(chart) {
    const tables = [];
    const order = [];
    for (const [id, source] of sources) {
      const lines = chart.lines.filter((line) => line.source === id);
      if (!lines.length || !source.steps.length) continue;
      const x = state.axis === "time" ? source.at.map((at) => at - source.at[0]) : source.steps;
      const empty = Array(source.steps.length).fill(null);
      let ys = lines.map((line) => (line.level == null ? source.values[line.column] || empty : x.map(() => line.level)));
      ys = ys.map((values, place) => (lines[place].level == null ? smoothed(values) : values));
      if (chart.stacked) ys = ys.map((_, place) => x.map((_, at) => total(ys.slice(0, place + 1), at)));
      tables.push([x, ...ys]);
      order.push(...lines);
    }
    if (!tables.length || !tables.some((table) => table.slice(1).some((ys) => ys.some((y) => y != null)))) return null;
    return { lines: order, data: joined(tables) };
  }
  // Runs with the same steps lie over each other as they are.
  function joined(tables) {
    const [xs] = tables[0];
    const same = tables.every(([each]) => each === xs || (each.length === xs.length && each.every((x, at) => x === xs[at])));
    return same ? [xs, ...tables.flatMap((table) => table.slice(1))] : uPlot.join(tables);
  }
  const total = (ys, at) => ys.reduce((sum, values) => sum + (values[at] ?? 0), 0);

  function options(chart, lines, box) {
    const axis = {
      stroke: colour("--ink-soft"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "11.5px system-ui, sans-serif",
    };
    const steps = { incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000] };
    const times = { values: (_, ticks) => ticks.map((tick) => (tick < 1 ? "0" : grouper.duration(tick))) };
    return {
      width: box.clientWidth || 300,
      height: box.clientHeight || 200,
      legend: { show: false },
      cursor: {
        sync: { key: "grouper", setSeries: false },
        drag: { x: true, y: false },
        points: { size: 6 },
      },
      scales: { x: { time: false }, y: { range: spread(chart) } },
      axes: [
        { ...axis, size: 30, space: state.axis === "time" ? 70 : 50, ...(state.axis === "time" ? times : steps) },
        { ...axis, size: 66, values: (_, ticks, __, ___, apart) => marks(ticks, chart.unit, apart) },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          label: line.name,
          stroke: colour(line.colour),
          fill: chart.stacked ? colour(line.colour) : undefined,
          width: line.main ? 2 : 1.4,
          dash: line.dash?.length ? line.dash : undefined,
          points: { show: (plot) => plot.data[0].length < 3, size: 6 },
          spanGaps: true,
        })),
      ],
      hooks: {
        setCursor: [(plot) => tell(chart.key, plot.cursor.idx)],
        setSelect: [(plot) => plot.select.width > 0 && zoom(plot.posToVal(plot.select.left, "x"), plot.posToVal(plot.select.left + plot.select.width, "x"))],
      },
    };
  }

  // A little room above and below; a line that never moves lies in the middle of its chart.
  const spread = (chart) => (_, low, high) => {
    if (low == null) return [0, 1];
    if (chart.unit === "%") return [0, Math.max(1, high)];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.2 || 1;
    return [low >= 0 && (low < room * 3 || chart.stacked) ? 0 : low - room, high + room];
  };

  function zoom(min, max) {
    state.zoom = min == null ? null : { min, max };
    root.classList.toggle("zoomed", state.zoom !== null);
    moving = true;
    for (const card of cards.values()) if (card.plot) frame(card.plot);
    moving = false;
  }

  function frame(plot) {
    const xs = plot.data[0];
    plot.setScale("x", state.zoom || { min: xs[0], max: Math.max(xs[xs.length - 1], xs[0] + 1e-9) });
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  function card(chart) {
    const node = document.createElement("figure");
    node.className = `chart${chart.wide ? " wide" : ""}`;
    node.innerHTML = '<figcaption><b></b><span class="chart-unit"></span><span class="chart-at"></span></figcaption><div class="chart-canvas" role="img"></div><ul class="chart-legend"></ul>';
    root.append(node);
    const made = { node, box: node.querySelector(".chart-canvas"), legend: node.querySelector("ul"), plot: null, shape: "" };
    node.querySelector("b").textContent = chart.title;
    if (chart.unit.startsWith("tokens")) node.querySelector(".chart-unit").textContent = say(chart.unit);
    if (chart.about) node.querySelector("b").title = chart.about;
    new ResizeObserver(() => made.plot?.setSize({ width: made.box.clientWidth, height: made.box.clientHeight })).observe(made.box);
    made.box.addEventListener("dblclick", () => zoom(null));
    cards.set(chart.key, made);
    return made;
  }

  function draw(rebuild) {
    for (const [key, made] of cards)
      if (!charts.some((chart) => chart.key === key)) {
        made.plot?.destroy();
        made.node.remove();
        cards.delete(key);
      }
    for (const chart of charts) cards.get(chart.key) || card(chart);
    anew = rebuild || (anew && drawing.length > 0);
    drawing = [...charts];
    drawSome();
    const table = element.querySelector("details[data-figures]");
    if (table?.open) fill(table);
  }

  // A few charts a frame, from the top, so that the page shows the first at once and never stops answering.
  const FRAME_MS = 20;
  let drawing = [];
  let anew = false; // those that wait are built again
  function drawSome() {
    const began = performance.now();
    while (drawing.length && performance.now() - began < FRAME_MS) {
      const chart = drawing.shift();
      drawOne(chart, cards.get(chart.key), anew);
    }
    if (drawing.length) requestAnimationFrame(drawSome);
  }

  function drawOne(chart, made, rebuild) {
    made.chart = chart;
    const found = columns(chart);
    made.box.dataset.empty = found ? "" : chart.empty;
    if (!found) {
      made.plot?.destroy();
      made.plot = null;
      made.legend.replaceChildren();
      made.box.setAttribute("aria-label", `${chart.title}: ${made.box.dataset.empty}`);
      return;
    }
    const shape = JSON.stringify([found.lines, state.axis]);
    if (made.plot && !rebuild && shape === made.shape) {
      made.plot.setData(stackOrder(chart, found.data), false);
    } else {
      made.plot?.destroy();
      made.shape = shape;
      made.lines = found.lines;
      made.plot = new uPlot(options(chart, stackOrder(chart, [null, ...found.lines]).slice(1), made.box), stackOrder(chart, found.data), made.box);
      write(made);
    }
    made.data = found.data;
    frame(made.plot);
    tell(chart.key, null);
  }

  // Stacked areas are painted from the highest down, each over the one before.
  const stackOrder = (chart, list) => (chart.stacked ? [list[0], ...list.slice(1).reverse()] : list);

  function write(made) {
    made.legend.replaceChildren(
      ...made.lines.map((line) => {
        const item = document.createElement("li");
        item.innerHTML = "<i></i><span></span><b></b>";
        item.firstChild.style.borderColor = `var(${line.colour})`;
        if (line.dash?.length) item.firstChild.style.borderTopStyle = line.dash[0] > 4 ? "dashed" : "dotted";
        item.children[1].textContent = line.name;
        return item;
      }),
    );
  }

  // The figures under the cursor, or of the last step when nobody points.
  function tell(key, at) {
    const made = cards.get(key);
    if (!made?.plot || !made.data) return;
    const here = at ?? made.data[0].length - 1;
    const x = made.data[0][here];
    made.node.querySelector(".chart-at").textContent =
      at == null ? "" : state.axis === "time" ? say(`after ${grouper.duration(x)}`) : say(`step ${thin(Math.round(x))}`);
    const figures = made.lines.map((line, place) => {
      const ys = made.data[place + 1];
      let value = ys[here];
      for (let back = here; value == null && back >= 0; back--) value = ys[back];
      if (made.chart.stacked && place && value != null) value -= made.data[place][here] ?? 0;
      const text = figure(value, made.chart.unit);
      if (made.legend.children[place]) made.legend.children[place].lastChild.textContent = text;
      return `${line.name} ${text}`;
    });
    if (at == null) made.box.setAttribute("aria-label", `${made.chart.title}, ${say("last step")}: ${figures.slice(0, 8).join(", ")}`);
  }

  // The same figures to read or to hear, written only when somebody opens them.
  function fill(details) {
    const [id, source] = [...sources][0] || [];
    if (!source) return;
    const lines = charts.flatMap((chart) => chart.lines.filter((line) => line.source === id && line.level == null).map((line) => [chart, line]));
    const cell = (kind, text) => Object.assign(document.createElement(kind), { textContent: text, className: "number" });
    const row = (cells) => {
      const made = document.createElement("tr");
      made.append(...cells);
      return made;
    };
    const table = document.createElement("table");
    table.className = "table";
    table.append(document.createElement("thead"), document.createElement("tbody"));
    if (sources.size > 1) table.createCaption().textContent = source.name;
    const title = ([chart, line]) => (chart.lines.length > 1 ? `${chart.title}: ${line.name}` : chart.title);
    table.tHead.append(row([cell("th", say("Step")), ...lines.map((each) => cell("th", title(each)))]));
    source.steps.forEach((step, at) =>
      table.tBodies[0].append(row([cell("th", step), ...lines.map(([chart, line]) => cell("td", figure(source.values[line.column]?.[at], chart.unit)))])),
    );
    details.querySelector(".scroll").replaceChildren(table);
  }

  function remember() {
    const url = new URL(location.href);
    state.smooth ? url.searchParams.set("smooth", state.smooth) : url.searchParams.delete("smooth");
    state.axis === "time" ? url.searchParams.set("axis", "time") : url.searchParams.delete("axis");
    history.replaceState(history.state, "", url);
  }

  const smoothing = element.querySelector("[data-smooth]");
  smoothing.value = state.smooth;
  smoothing.addEventListener("input", () => {
    state.smooth = Number(smoothing.value);
    draw(false);
    remember();
  });
  for (const radio of element.querySelectorAll("[data-axis]")) {
    radio.checked = radio.value === state.axis;
    radio.addEventListener("change", () => {
      state.axis = radio.value;
      state.zoom = null;
      draw(true);
      zoom(null);
      remember();
    });
  }
  element.querySelector("[data-unzoom]").addEventListener("click", () => zoom(null));
  element.querySelector("details[data-figures]")?.addEventListener("toggle", (event) => event.target.open && fill(event.target));
  new MutationObserver(() => draw(true)).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  const update = (value) => {
    if (!value) return;
    take(JSON.parse(value)); // as text: what Gradio hands over as objects is slow to read
    draw(false);
  };
  grouper.showing(element, props, watch, update);
};
