/* What each kind of chart shows: its data and series for uPlot, what is drawn over them, and what a
   value says of itself. */
const chartKinds = (() => {
  "use strict";
  const MOST_MARKED = 40;

  const colour = (name, alpha) => {  // that the style of the page gives a name, as #rrggbb
    const found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    return alpha === undefined ? found : found + Math.round(255 * alpha).toString(16).padStart(2, "0");
  };
  const format = value => value == null ? "" : String(Number(value.toPrecision(4)));

  /* Lines over epochs, and steps over the bins of a histogram. */
  const prepareLines = chart => {
    const data = [chart.x], series = [{}], bands = [];
    const isSteps = chart.kind === "steps";
    // Those that lie on others come last, and leave gaps in which one sees the others.
    for (const line of [...chart.series].sort((a, b) => (a.layer ?? 0) - (b.layer ?? 0))) {
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
        : describeBars(chart.series.filter(line => line.y[index] != null), index),
    }),
  });
  const describeBars = (known, index) => known.length ? known.map(line => ({
    colour: line.colour, label: line.label, value: line.y[index].toLocaleString("en"),
  })) : [{ label: "none", value: "" }];
  const drawRanges = (plot, chart) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
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

  return {
    colour,
    prepare: {
      lines: prepareLines, steps: prepareLines, bars: prepareBars, rows: prepareBars, map: prepareMap,
    },
  };
})();
