/* What stands under the pointer: a box beside it, which never leaves the page. */
const chartTips = (() => {
  "use strict";
  const DISTANCE = 14, EDGE = 4;

  /* From where to where a box may reach: the window, or what scrolls sideways around the chart. */
  const findBounds = over => {
    const width = document.documentElement.clientWidth;
    const around = over.closest(".scroll")?.getBoundingClientRect();
    return [Math.max(0, around?.left ?? 0) + EDGE, Math.min(width, around?.right ?? width) - EDGE];
  };

  const place = (tip, over, left, top) => {
    const [first, last] = findBounds(over), start = over.getBoundingClientRect().left;
    tip.style.maxWidth = `${last - first}px`;
    const isRight = left > over.clientWidth / 2, width = tip.offsetWidth;
    const wanted = start + left + (isRight ? -DISTANCE - width : DISTANCE);
    tip.style.left = `${Math.max(first, Math.min(wanted, last - width)) - start}px`;
    tip.style.top = `${Math.max(0, Math.min(top, over.clientHeight - tip.offsetHeight))}px`;
  };

  const listLine = entry => {
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
  };

  /* Adds the box to a plot; what it returns shows it where the cursor of the plot is. */
  const addTip = (plot, describe) => {
    const tip = document.createElement("div");
    tip.className = "tip";
    tip.hidden = true;
    plot.over.append(tip);
    plot.over.addEventListener("mouseleave", () => { tip.hidden = true; });
    return () => {
      const { left, top, idx, event } = plot.cursor;
      // The pointer is over another chart, which moves the cursor of this one.
      const isHere = event != null && left >= 0 && idx != null && plot.over.matches(":hover");
      const { heading, entries } = isHere ? describe(idx, plot) : { entries: [] };
      tip.hidden = heading === undefined;
      if (tip.hidden) return;
      const title = document.createElement("b");
      title.textContent = heading;
      tip.replaceChildren(title, ...entries.map(listLine));
      place(tip, plot.over, left, top);
    };
  };

  return { addTip };
})();
