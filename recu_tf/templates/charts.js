/* Charts that show their values under the pointer and zoom: each element with `data-chart` has the
   numbers of the drawing inside it, which it hides on the screen and leaves for paper. */
(() => {
  "use strict";
  const FONT = '11.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const HEIGHT = { lines: 205, steps: 140, bars: 205 };
  const WHOLE = [1, 10, 100, 1000, 10000].flatMap(power => [power, 2 * power, 5 * power]);
  const ROW = 14, BAR = 26, MOST_MARKED = 40, TIP_DISTANCE = 14;

  const colour = (name, alpha) => {  // that the style of the page gives a name, as #rrggbb
    const found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return alpha === undefined ? found : found + Math.round(255 * alpha).toString(16).padStart(2, "0");
  };
  const format = value => value == null ? "" : String(Number(value.toPrecision(4)));

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

  /* Lines over epochs, and steps over the bins of a histogram. */
  const prepareLines = chart => {
    const data = [chart.x], series = [{}], bands = [];
    const isSteps = chart.kind === "steps";
    for (const line of chart.series) {
      line.at = data.length;
      data.push(line.y);
      series.push({
        label: line.label, width: line.width,
        stroke: () => colour(line.colour),
        fill: isSteps && chart.series.length === 1 ? () => colour(line.colour, 0.18) : undefined,
        dash: line.dash.map(length => length * uPlot.pxRatio),
        paths: isSteps ? uPlot.paths.stepped({ align: 1 }) : undefined,
        points: { show: !isSteps && chart.x.length <= MOST_MARKED, size: 4, width: 0,
          fill: () => colour(line.colour) },
      });
      if (!line.deviation) continue;
      for (const sign of [1, -1]) {
        data.push(line.y.map((y, at) => y == null ? null : y + sign * (line.deviation[at] ?? 0)));
        series.push({ width: 0, points: { show: false } });
      }
      bands.push({ series: [line.at + 1, line.at + 2], fill: () => colour(line.colour, 0.18) });
    }
    const offsets = {};
    for (const line of chart.series) offsets[line.at] = line.offset;
    const setOffset = (plot, at) => {
      plot.ctx.lineDashOffset = (offsets[at] ?? 0) * uPlot.pxRatio;
    };
    return {
      data, bands, series,
      hooks: {
        drawAxes: [plot => setOffset(plot, 1)],
        drawSeries: [(plot, at) => setOffset(plot, at + 1)],
        draw: [plot => { plot.ctx.lineDashOffset = 0; drawLimits(plot, chart); }],
      },
      describe: (nearest, plot) => {
        const index = isSteps ? findBin(chart.x, plot.posToVal(plot.cursor.left, "x")) : nearest;
        return {
          heading: isSteps ? `${format(chart.x[index])} to ${format(chart.x[index + 1])}`
            : `${chart.axis} ${chart.x[index]}`,
          entries: chart.series.filter(line => line.y[index] != null).map(line => ({
            colour: line.colour, dashed: line.dashed, label: line.label,
            value: format(line.y[index]) +
              (line.deviation?.[index] == null ? "" : ` ± ${format(line.deviation[index])}`),
          })),
        };
      },
    };
  };
  const findBin = (edges, value) =>
    Math.max(0, Math.min(edges.length - 2, edges.findLastIndex(edge => edge <= value)));
  const drawLimits = (plot, chart) => {
    const { ctx, bbox } = plot;
    for (const limit of chart.limits ?? []) {
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour(limit.colour);
      ctx.lineWidth = uPlot.pxRatio;
      ctx.setLineDash([3, 2].map(length => length * uPlot.pxRatio));
      for (const value of [-limit.value, limit.value]) {
        const x = Math.round(plot.valToPos(value, "x", true));
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
      }
      ctx.restore();
    }
  };

  /* Bars: upright ones of things that are told apart by their numbers, or one below the other with
     a line over each from one end of a range to the other. */
  const prepareBars = chart => ({
    data: [chart.x, ...chart.series.map(line => line.y)],
    series: [{}, ...chart.series.map(line => ({
      width: 0, fill: () => colour(line.colour), paths: uPlot.paths.bars({ size: [0.7, 60] }),
      points: { show: false },
    }))],
    hooks: { draw: [plot => drawRanges(plot, chart)] },
    describe: index => ({
      heading: chart.names[index],
      entries: chart.texts ? [{ label: chart.texts[index], value: "" }]
        : chart.series.filter(line => line.y[index] != null).map(line => ({
          colour: line.colour, label: line.label, value: line.y[index].toLocaleString("en"),
        })),
    }),
  });
  const drawRanges = (plot, chart) => {
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = colour("ink");
    ctx.lineWidth = uPlot.pxRatio;
    (chart.ends ?? []).forEach((ends, row) => {
      const y = Math.round(plot.valToPos(row, "x", true)) + 0.5;
      ctx.beginPath();
      ends.forEach(end => ctx.lineTo(plot.valToPos(end, "y", true), y));
      ctx.stroke();
    });
    ctx.restore();
  };

  /* A colour for each layer and epoch: the picture inside the drawing, cut to what is zoomed to. */
  const prepareMap = (chart, element) => {
    const picture = new Image();
    picture.src = element.querySelector("svg image").getAttribute("xlink:href") ??
      element.querySelector("svg image").getAttribute("href");
    const half = 0.5;
    return {
      data: [chart.x, chart.x.map(() => null)],
      series: [{}, { show: true, points: { show: false } }],
      hooks: {
        ready: [plot => { picture.decode().then(() => plot.redraw(false)); }],
        drawAxes: [plot => {
          if (!picture.complete || !picture.naturalWidth) return;
          const { ctx, bbox } = plot, scale = picture.naturalWidth / chart.x.length;
          const first = plot.valToPos(chart.x[0] - half, "x", true);
          const last = plot.valToPos(chart.x[chart.x.length - 1] + half, "x", true);
          ctx.save();
          ctx.beginPath();
          ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
          ctx.clip();
          ctx.imageSmoothingEnabled = scale > 1;
          ctx.drawImage(picture, first, bbox.top, last - first, bbox.height);
          ctx.restore();
        }],
      },
      describe: (index, plot) => {
        const row = Math.round(plot.posToVal(plot.cursor.top, "y"));
        const value = chart.values[row]?.[index];
        return { heading: `${chart.axis} ${chart.x[index]}`, entries: value == null ? [] : [
          { label: chart.rows[row], value: format(value) }] };
      },
    };
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

  const PREPARE = {
    lines: prepareLines, steps: prepareLines, bars: prepareBars, rows: prepareBars, map: prepareMap,
  };

  const build = element => {
    const chart = JSON.parse(element.dataset.chart);
    const isMap = chart.kind === "map", isRows = chart.kind === "rows";
    const { data, series, bands, hooks, describe } = PREPARE[chart.kind](chart, element);
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
