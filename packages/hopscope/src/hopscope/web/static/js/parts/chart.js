// A small line chart over time (uPlot), in the theme's colours.

import { html, useEffect, useLayoutEffect, useRef } from "../ui.js";
import plotting from "../../vendor/uplot/uplot.js";
import { shownTheme, token } from "../theme.js";
import { clock, figure, shortClock } from "../format.js";

/** @type {any} */
const uPlot = plotting; // a class in old clothes

/**
 * @param {{label: string, unit?: string, data: number[][], series: [string, string][], height?: number, fromZero?: boolean}} props
 *   `data` is [epoch seconds, values, …]; each series is a name and a design token
 */
export function Chart({ label, unit = "", data, series, height = 150, fromZero = true }) {
  const place = useRef(null);
  const plot = useRef(null);
  useEffect(() => {
    const line = token("--line");
    const ink = token("--ink-3");
    const font = `11px ${token("--sans")}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    plot.current = new uPlot(
      {
        width: place.current.clientWidth,
        height,
        cursor: { y: false, points: { size: 6 } },
        legend: { live: true },
        scales: fromZero ? { y: { range: (_, low, high) => [0, Math.max(1, high * 1.1, low)] } } : {},
        axes: [
          { ...axis, values: (_, ticks) => ticks.map((tick) => shortClock(tick * 1000)) },
          { ...axis, size: 46, values: (_, ticks) => ticks.map((tick) => figure(tick).replace("-", "−")) },
        ],
        series: [{ label: "at", value: (_, at) => (at === null ? "–" : clock(at * 1000)) }, ...series.map(([name, color]) => ({ label: name, stroke: token(color), width: 2, value: (_, v) => figure(v, unit) }))],
      },
      data,
      place.current,
    );
    const watcher = new ResizeObserver(() => plot.current.setSize({ width: place.current.clientWidth, height }));
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      plot.current.destroy();
    };
  }, [shownTheme.value]);
  useLayoutEffect(() => plot.current?.setData(data), [data.at(0)?.at(-1)]);
  return html`<figure class="chart" aria-label=${label}><figcaption class="dim">${label}${unit && `, ${unit}`}</figcaption><div ref=${place}></div></figure>`;
}
