/* The names of rows, left of them: broken into lines, and cut at their ends where they are longer. */
const chartNames = (() => {
  "use strict";
  const GAP = 6, LINE = 13;
  const MOST_LINES = { rows: 2, map: 1 };
  const pen = document.createElement("canvas").getContext("2d");

  const cut = (text, fits) => {
    let end = text.length;
    const shortened = () => end === text.length ? text : `${text.slice(0, end).trimEnd()}…`;
    while (end > 1 && !fits(shortened())) end -= 1;
    return shortened();
  };

  const wrap = (text, most, fits) => {
    const words = text.split(" "), lines = [];
    while (words.length && lines.length < most) {
      let line = words.shift();
      while (words.length && fits(`${line} ${words[0]}`)) line += ` ${words.shift()}`;
      lines.push(line);
    }
    // The last line says that there is more.
    if (words.length) lines.push(`${lines.pop()} ${words.join(" ")}`);
    return lines.map(line => cut(line, fits));
  };

  /* Draws the names beside the rows of a plot, in the space that the plot has left of them. */
  const drawNames = (plot, chart, { size, family, ink }) => {
    const { ctx, bbox } = plot, ratio = uPlot.pxRatio;
    pen.font = `${size}px ${family}`;
    const width = bbox.left / ratio - GAP;
    const fits = text => pen.measureText(text).width <= width;
    ctx.save();
    ctx.font = `${size * ratio}px ${family}`;
    ctx.fillStyle = ink;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    chart.names.forEach((name, row) => {
      const lines = wrap(name, MOST_LINES[chart.kind], fits);
      const middle = plot.valToPos(row, chart.kind === "map" ? "y" : "x", true);
      lines.forEach((line, at) => ctx.fillText(line, bbox.left - GAP * ratio,
        middle + (at - (lines.length - 1) / 2) * LINE * ratio));
    });
    ctx.restore();
  };

  return { drawNames };
})();
