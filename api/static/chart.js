// The history of one property: the mean as a line, min to max as a band around it, lost readings as shaded bands.

import uPlot from "./vendor/uplot.js";
import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { clock, label, number, reason, value } from "./format.js";
import { axis, colour, columns, shade, timeAxis } from "./plot.js";

const hour = 3600e3, day = 24 * hour;
const spans = [["1 h", hour], ["24 h", day], ["7 days", 7 * day], ["30 days", 30 * day]];

function options(p, history, from, to, width) {
  const line = p.kind === "bool" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
  const edge = { stroke: "transparent", width: 0, points: { show: false }, paths: line };
  const two = (v) => (v === null || v === undefined ? "" : value(p, p.kind === "bool" ? v >= 0.5 : v));
  return {
    width, height: Math.max(200, Math.min(340, Math.round(width * 0.5))),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: [from / 1000, to / 1000] },
      y: p.kind === "bool" ? { range: [-0.1, 1.1] } : { range: (_, lo, hi) => (lo === null ? [0, 1] : uPlot.rangeNum(lo, hi === lo ? lo + Math.max(1, Math.abs(lo) * 0.02) : hi, 0.1, true)) },
    },
    axes: [
      timeAxis(),
      { ...axis(), size: 56, values: (_, ticks) => ticks.map((v) => (p.kind === "bool" ? (v === 0 || v === 1 ? two(v) : "") : number(v))) },
    ],
    series: [{}, edge, { stroke: colour("--accent"), width: 2, paths: line, points: { show: history.points.length < 40, size: 5 } }, edge],
    bands: [{ series: [3, 1], fill: colour("--band") }],
    hooks: { drawClear: [shade(history.gaps, history.repaired)] },
  };
}

function summary(p, history) {
  if (!history.points.length) return "Nothing was reported in this time.";
  if (p.kind === "bool") return "";
  let lo = Infinity, hi = -Infinity, sum = 0, count = 0;
  for (const [, l, m, h, n] of history.points) { lo = Math.min(lo, l); hi = Math.max(hi, h); sum += m * n; count += n; }
  return `lowest ${value(p, lo)} · mean ${value(p, sum / count)} · highest ${value(p, hi)} · ${number(count)} readings`;
}

/** A dialog with the chart of property p of a device, up to so many days back, and a link to where it stands beside
 * others, if there is such a place; close is called when it is over. */
export function Chart({ live, device, p, close, days = 7, compare = "" }) {
  const dialog = useRef(), box = useRef(), note = useRef();
  const [span, choose] = useState(spans[1][1]);
  const [history, show] = useState(null);
  const [error, fail] = useState("");
  useEffect(() => {
    if (!dialog.current.open) dialog.current.showModal();
    let over = false, timer = 0, loaded = 0;
    const load = async () => {
      clearTimeout(timer);
      loaded = Date.now();
      const to = Math.ceil(live.now()), from = to - span;
      const query = new URLSearchParams({ device: device.id, property: p.name, from, to, points: 400 });
      try {
        const history = await live.get("/history?" + query);
        if (!over) { show({ ...history, from, to }); fail(""); }
      } catch (err) {
        if (!over) fail(err.message);
      }
      if (!over) timer = setTimeout(load, 60e3);
    };
    const pause = Math.max(2e3, span / 400);
    const end = live.onReading((r) => { if (r.device === device.id && r.property === p.name && Date.now() - loaded > pause) load(); });
    load();
    return () => { over = true; clearTimeout(timer); end(); };
  }, [span, device.id, p.name]);
  useEffect(() => {
    if (!history || !box.current) return undefined;
    let plot = null;
    const draw = () => {
      if (plot) plot.destroy();
      plot = new uPlot(options(p, history, history.from, history.to, box.current.clientWidth), columns(history.points), box.current);
      plot.over.addEventListener("mousemove", () => follow(plot));
    };
    const follow = (u) => {
      const i = u.cursor.idx;
      if (i === null || i === undefined || u.data[2][i] === null || u.data[2][i] === undefined) { note.current.textContent = ""; return; }
      const [x, lo, m, hi] = u.data.map((column) => column[i]);
      const around = lo === hi ? "" : ` (${value(p, lo)} to ${value(p, hi)})`;
      note.current.textContent = `${clock(x * 1000)}: ${p.kind === "bool" ? value(p, m >= 0.5) : value(p, m)}${around}`;
    };
    draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("resize", draw);
    scheme.addEventListener("change", draw);
    return () => { removeEventListener("resize", draw); scheme.removeEventListener("change", draw); plot.destroy(); };
  }, [history]);
  return html`<dialog class="chart" ref=${dialog} onClose=${close} aria-labelledby="chart-title" onClick=${(e) => e.target === dialog.current && dialog.current.close()}>
    <div class="inside">
      <header><h2 id="chart-title">${label(p.name)} <span class="quiet">${device.name}</span></h2>
        <button type="button" class="plain-button" aria-label="Close" onClick=${() => dialog.current.close()}>✕</button></header>
      <div class="bar"><strong class="now">${value(p)}</strong><span class="spans" role="group" aria-label="How far back">${spans.filter(([, ms]) => ms <= days * day).map(([name, ms]) => html`<button type="button" class="small" aria-pressed=${String(ms === span)} onClick=${() => choose(ms)}>${name}</button>`)}</span></div>
      <div class="plot" ref=${box} role="img" aria-label=${"Chart. " + (history ? summary(p, history) : "")}></div>
      <p class="quiet note" ref=${note}></p>
      ${error && html`<p class="failed" role="alert">${error}</p>`}
      ${history && html`<p class="quiet">${summary(p, history)}${compare && html` <a href=${compare}>Compare and export</a>`}</p>`}
      ${history && history.gaps.length > 0 && html`<ul class="gaps">${history.gaps.map((g) => html`<li><span class="swatch"></span>${number(g.count)} readings missing, ${clock(g.from)} to ${clock(g.to)}: ${reason(g.reason)}</li>`)}</ul>`}
      ${history && history.repaired && html`<ul class="gaps">${history.repaired.map((s) => html`<li><span class="swatch repaired"></span>${clock(s.from)} to ${clock(s.to)}: taken while the gateway's clock was not set, and repaired since</li>`)}</ul>`}
    </div></dialog>`;
}
