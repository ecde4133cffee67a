/* What part of a chart is shown: all of it, or what the reader has zoomed to. */
const chartRanges = (() => {
  "use strict";
  const BAR_REACH = 0.5;

  /* Where a line is between its points; a line has a gap where a number is missing. */
  const interpolate = (chart, values, place) => {
    const at = chart.x.findLastIndex(x => x <= place);
    if (at < 0 || values[at] == null) return null;
    if (chart.kind === "steps" || chart.x[at] === place) return values[at];
    if (values[at + 1] == null) return null;
    const share = (place - chart.x[at]) / (chart.x[at + 1] - chart.x[at]);
    return values[at] + share * (values[at + 1] - values[at]);
  };

  /* All heights that are drawn between two places, with those where lines leave the section. */
  const listHeights = (chart, data, [first, last]) => {
    const isBars = chart.kind === "bars", reach = isBars ? BAR_REACH : 0;
    return data.slice(1).flatMap(values => [
      ...Array.from(values).filter((_, at) =>
        first - reach <= chart.x[at] && chart.x[at] <= last + reach),
      ...(isBars ? [] : [first, last].map(place => interpolate(chart, values, place))),
    ]).filter(height => height != null);
  };

  /* The vertical range: that of the whole drawing, or of what is left in it after a zoom. */
  const findVertical = chart => plot => {
    const heights = chart.shown ? listHeights(chart, plot.data, chart.shown) : [];
    if (!heights.length) return chart.range;
    const low = Math.min(...heights), high = Math.max(...heights);
    const margin = 0.05 * (high - low || Math.abs(high) || 1);
    return [chart.zero && low >= 0 ? 0 : low - margin, high + margin];
  };

  /* The horizontal range, which is asked for before the vertical one. */
  const findHorizontal = chart => (_, low, high) => {
    const first = chart.x[0], last = chart.x[chart.x.length - 1];
    chart.shown = low > first + 1e-9 || high < last - 1e-9 ? [low, high] : null;
    return chart.shown ?? [first - chart.pad, last + chart.pad];
  };

  /* Whether only a part is shown. Rows are always all there: they zoom along their numbers. */
  const isZoomed = (chart, plot) => {
    if (chart.kind !== "rows") return Boolean(chart.shown);
    const { min, max } = plot.scales.y, [low, high] = chart.range;
    return min > low + 1e-9 || max < high - 1e-9;
  };

  /* Shows all; the vertical range follows the horizontal one. */
  const zoomOut = (chart, plot) =>
    plot.setScale("x", { min: chart.x[0], max: chart.x[chart.x.length - 1] });

  return { findHorizontal, findVertical, isZoomed, zoomOut };
})();
