/* Charts that show their values under the pointer and zoom: each element with `data-chart` has the
   numbers of the drawing inside it, which it hides on the screen and leaves for paper. */
(() => {
  "use strict";
  const { colour, prepare } = chartKinds;
  const FONT = '11.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const HEIGHT = { lines: 205, steps: 140, bars: 205 };
  const WHOLE = [1, 10, 100, 1000, 10000].flatMap(power => [power, 2 * power, 5 * power]);
  const ROW = 14, BAR = 26, TIP_DISTANCE = 14;

  const axis = (more = {}) => ({
    stroke: () => colour("ink"), font: FONT, gap: 4,
    grid: { stroke: () => colour("rule"), width: 1 },
    ticks: { stroke: () => colour("faint"), width: 1, size: 3 },
    ...more,
  });

  /* The vertical range: that of the whole drawing, or of what is left in it after a zoom. */
  const rangeOf = chart => (_, low, high) => {
    if (low == null || !chart.zoomed) return chart.range;
    const margin = 0.05 * (high - low || Math.abs(high) || 1);
    return [chart.zero && low >= 0 ? 0 : low - margin, high + margin];
  };
  /* The horizontal range, which is asked for before the vertical one. */
  const zoom = chart => (_, low, high) => {
    const first = chart.x[0], last = chart.x[chart.x.length - 1];
    chart.zoomed = low > first + 1e-9 || high < last - 1e-9;
    return chart.zoomed ? [low, high] : [first - chart.pad, last + chart.pad];
  };

  /* What stands under the pointer, beside it. */
  const addTip = (plot, describe) => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    plot.over.append(tip);
    const show = () => {
      const { left, top, idx, event } = plot.cursor;
      // The pointer is over another chart, which moves the cursor of this one.
      const isHere = event != null && left >= 0 && idx != null && plot.over.matches(":hover");
      const { heading, entries } = isHere ? describe(idx, plot) : { entries: [] };
      tip.hidden = heading === undefined;
      if (tip.hidden) return;
      const title = document.createElement("b");
      title.textContent = heading;
      tip.replaceChildren(title, ...entries.map(entry => {
        const line = document.createElement("div");
        if (entry.colour) {
          const mark = document.createElement("i");
          mark.style.borderTop = `2px ${entry.dashed ? "dashed" : "solid"} var(--${entry.colour})`;
          line.append(mark);
        }
        const value = document.createElement("span");
        value.textContent = entry.value;
        line.append(entry.label, value);
        return line;
      }));
      const isRight = left > plot.over.clientWidth / 2;
      tip.style.left = isRight ? "" : `${left + TIP_DISTANCE}px`;
      tip.style.right = isRight ? `${plot.over.clientWidth - left + TIP_DISTANCE}px` : "";
      tip.style.top = `${Math.max(0, Math.min(top, plot.over.clientHeight - tip.offsetHeight))}px`;
    };
    plot.over.addEventListener("mouseleave", () => { tip.hidden = true; });
    return show;
  };

  const listAxes = (chart, width) => {
    const names = more => axis({ splits: () => chart.names.map((_, row) => row),
      values: (_, rows) => rows.map(row => chart.names[row]), grid: { show: false },
      ticks: { show: false }, size: Math.min(chart.left, width / 2), ...more });
    const numbers = axis({ size: 26, space: 48, grid: { show: false },
      ...(chart.axis === "weight" ? {}
        : { label: chart.axis, labelSize: 14, labelGap: -2, labelFont: FONT }),
      incrs: chart.kind === "steps" ? undefined : WHOLE });
    if (chart.kind === "map") return [numbers, names()];
    if (chart.kind === "rows") return [names({ side: 3 }), axis({ side: 2, size: 26, space: 48 })];
    return [numbers, axis({ size: 52, space: 28, ticks: { show: false },
      values: chart.kind !== "bars" ? undefined : (_, values) => values.map(shortenCount) })];
  };
  const shortenCount = value => value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k`
    : String(value);

  const build = element => {
    const chart = JSON.parse(element.dataset.chart);
    const isMap = chart.kind === "map", isRows = chart.kind === "rows";
    const { data, series, bands, hooks, describe } = prepare[chart.kind](chart, element);
    const drawing = element.querySelector("svg");
    const heading = document.createElement("div");
    heading.className = "plot-heading";
    const [title, unit] = [document.createElement("b"), document.createElement("span")];
    title.textContent = chart.title;
    unit.textContent = chart.unit ?? "";
    const reset = document.createElement("button");
    reset.textContent = "Zoom out";
    reset.hidden = true;
    heading.append(title, reset, unit);
    const frame = document.createElement("div");
    frame.className = "plot";
    // The drawing is hidden, and what it is called with it.
    frame.setAttribute("role", "img");
    frame.setAttribute("aria-label", drawing.getAttribute("aria-label"));
    frame.append(heading);
    element.append(frame);
    element.classList.add("live");

    const width = () => Math.max(240, frame.clientWidth);
    const height = isMap ? ROW * chart.rows.length + 40
      : isRows ? BAR * chart.names.length + 40 : HEIGHT[chart.kind];
    let show = () => {};
    const plot = new uPlot({
      width: width(), height, bands, padding: [6, 8, 0, 0],
      legend: { show: false },
      cursor: {
        x: !isRows, y: false, points: { size: 6 }, drag: { x: !isRows, y: false, dist: 5 },
        // A band has lines that nobody sees, which are not to be the nearest.
        focus: chart.kind === "lines" && !bands.length ? { prox: 24 } : undefined,
        sync: ["epoch", "operator"].includes(chart.axis)
          ? { key: chart.axis, scales: ["x", null] } : undefined,
      },
      focus: { alpha: 0.35 },
      scales: {
        x: { time: false, ...(isRows ? { ori: 1, dir: -1 } : {}), range: zoom(chart) },
        y: isMap ? { range: [-0.5, chart.rows.length - 0.5], dir: -1 }
          : { range: rangeOf(chart), ori: isRows ? 0 : 1 },
      },
      axes: listAxes(chart, width()),
      series,
      hooks: {
        ...hooks,
        setCursor: [() => show()],
        setScale: [() => { reset.hidden = !chart.zoomed; }],
      },
    }, data, frame);
    show = addTip(plot, describe);
    reset.addEventListener("click", () => plot.setScale("x", { min: chart.x[0], max: chart.x[chart.x.length - 1] }));
    const watch = new ResizeObserver(() => {
      if (frame.clientWidth) plot.setSize({ width: width(), height });
    });
    watch.observe(element);
    return () => { watch.disconnect(); plot.destroy(); frame.remove(); };
  };

  let remove = [];
  const draw = () => {
    remove.forEach(each => each());
    remove = [...document.querySelectorAll("[data-chart]")].map(build);
  };
  draw();
  // On paper everything is open.
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach(each => {
      each.open = true;
      addEventListener("afterprint", () => { each.open = false; }, { once: true });
    });
  });
  document.documentElement.classList.add("scripted");
  // Lines take their colours when they are drawn.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
