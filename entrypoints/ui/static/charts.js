// Draws the charts of a page over the pictures the server made, where uPlot is there.
(() => {
  "use strict";
  if (typeof uPlot === "undefined") return;

  const drawn = new WeakMap();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function said(value, unit) {
    if (value == null) return "–";
    const short = (number) => Math.abs(number) >= 1000
      ? number.toLocaleString(undefined, { maximumFractionDigits: 0 })
      : number.toLocaleString(undefined, { maximumSignificantDigits: 3 });
    if (unit === "usd") return "$" + short(value);
    if (unit === "us") return value < 1000 ? short(value) + " µs" : value < 1e6 ? short(value / 1e3) + " ms" : short(value / 1e6) + " s";
    if (unit === "ms") return value < 1000 ? short(value) + " ms" : short(value / 1e3) + " s";
    if (unit === "s") return short(value) + " s";
    if (unit === "share") return short(value * 100) + " %";
    if (unit === "percent") return short(value) + " %";
    return short(value);
  }

  // As in the tables: 24 hours, year-month-day. Columns: step in seconds, pattern,
  // and what stands below it when the year, day or hour changes (rows of uPlot's `axes.values`).
  const times = [
    [31536000, "{YYYY}", null, null, null, null, null, null, 1],
    [2419200, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
    [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
    [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  ];

  function draw(canvas) {
    const source = document.getElementById(canvas.dataset.chart);
    if (!source) return;
    drawn.get(canvas)?.destroy();
    const data = JSON.parse(source.textContent);
    const line = colour("--line"), text = colour("--quiet");
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    canvas.replaceChildren();
    const columns = data.stacked
      ? data.series.reduce((sums, values) => {
          const below = sums[sums.length - 1];
          return [...sums, values.map((value, row) => (value ?? 0) + (below ? below[row] : 0))];
        }, [])
      : data.series;
    // The highest of a stack first: each lower one covers its part.
    const order = data.titles.map((_, place) => place);
    if (data.stacked) order.reverse();
    const edges = new Map(data.bands.flatMap(([, low, high, of]) => [[low, of], [high, of]]));
    // Bars of the first and the last time are as wide as the others.
    const half = (data.stacked || data.bars) && data.times.length > 1 ? (data.times[1] - data.times[0]) / 2 : 0;
    // Days are days in UTC; moments within a day are the reader's, as in the tables.
    const daily = data.times.length > 1 && data.times[1] - data.times[0] >= 86400;
    const chart = new uPlot({
      tzDate: (time_s) => {
        const moment = new Date(time_s * 1000);
        return daily ? uPlot.tzDate(moment, "Etc/UTC") : moment;
      },
      width: Math.max(200, canvas.clientWidth),
      height: 180,
      legend: { show: true, live: true },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { range: (_, low, high) => [low - half, high + half] }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, values: times }, { ...axis, size: 80, values: (_, ticks) => ticks.map((tick) => said(tick, data.unit)) }],
      series: [
        {},
        ...order.map((place) => {
          const tint = colour("--s" + ((edges.get(place) ?? place) % 6));
          const bars = data.stacked || (data.bars && place === 0);
          return {
            label: data.titles[place],
            stroke: tint,
            fill: bars ? tint : undefined,
            // A line around bars would draw zeros too.
            width: bars ? 0 : edges.has(place) ? 0.75 : 1.5,
            dash: edges.has(place) ? [4, 3] : undefined,
            points: { show: data.times.length < 40 && !edges.has(place) && !bars },
            paths: bars ? uPlot.paths.bars({ size: [0.7, 40] }) : undefined,
            value: (_plot, _value, _series, row) => said(row == null ? null : data.series[place][row], data.unit),
          };
        }),
      ],
      bands: data.bands.map(([, low, high, of]) => (
        { series: [high + 1, low + 1], fill: colour("--s" + (of % 6)) + "26" }
      )),
    }, [data.times, ...order.map((place) => columns[place])], canvas);
    drawn.set(canvas, chart);
  }

  const all = () => { for (const canvas of document.querySelectorAll("[data-chart]")) draw(canvas); };
  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(all); };
  addEventListener("resize", soon);
  document.addEventListener("interchange:theme", soon);
  for (const name of ["htmx:afterSwap", "htmx:after:swap"]) document.addEventListener(name, soon);
  all();
})();
