/* Charts that show their values under the pointer and zoom: each element with `data-chart` has the
   numbers of the drawing inside it, which it hides on the screen and leaves for paper. */
(() => {
  "use strict";
  const { colour, prepare } = chartKinds;
  const { findHorizontal, findVertical, isZoomed, zoomOut } = chartRanges;
  const SIZE = 11.5, FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const FONT = `${SIZE}px ${FAMILY}`;
  const HEIGHT = { lines: 205, steps: 140, bars: 205 };
  const WHOLE = [1, 10, 100, 1000, 10000].flatMap(power => [power, 2 * power, 5 * power]);
  const ROW = 14, BAR = 32;

  const axis = (more = {}) => ({
    stroke: () => colour("ink"), font: FONT, gap: 4,
    grid: { stroke: () => colour("rule"), width: 1 },
    ticks: { stroke: () => colour("faint"), width: 1, size: 3 },
    ...more,
  });

  const listAxes = chart => {
    // The space of the names, which are drawn into it afterwards.
    const names = more => axis({ splits: () => [], values: () => [], grid: { show: false },
      ticks: { show: false }, size: plot => Math.min(chart.left, plot.width / 2), ...more });
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
    const title = document.createElement("b");
    title.textContent = chart.title;
    const reset = document.createElement("button");
    reset.textContent = "Zoom out";
    reset.hidden = true;
    heading.append(title, reset);
    // Of the charts over epochs all have the line, so that those side by side are as high.
    if (chart.unit || chart.kind === "lines") {
      const unit = document.createElement("span");
      unit.textContent = chart.unit ?? "";
      heading.append(unit);
    }
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
        x: !isRows, y: false, points: { size: 6 }, drag: { x: !isRows, y: isRows, dist: 5 },
        // A band has lines that nobody sees, which are not to be the nearest.
        focus: chart.kind === "lines" && !bands.length ? { prox: 24 } : undefined,
        sync: ["epoch", "operator"].includes(chart.axis)
          ? { key: chart.axis, scales: ["x", null] } : undefined,
      },
      focus: { alpha: 0.35 },
      scales: {
        x: { time: false, ...(isRows ? { ori: 1, dir: -1 } : {}), range: findHorizontal(chart) },
        y: isMap ? { range: [-0.5, chart.rows.length - 0.5], dir: -1 }
          : { range: findVertical(chart), ori: isRows ? 0 : 1 },
      },
      axes: listAxes(chart),
      series,
      hooks: {
        ...hooks,
        setCursor: [() => show()],
        drawAxes: [...hooks.drawAxes ?? [], plot => {
          if (chart.left) chartNames.drawNames(plot, chart, { size: SIZE, family: FAMILY, ink: colour("ink") });
        }],
        setScale: [plot => { reset.hidden = !isZoomed(chart, plot); }],
      },
    }, data, frame);
    show = chartTips.addTip(plot, describe);
    reset.addEventListener("click", () => zoomOut(chart, plot));
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
