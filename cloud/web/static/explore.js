// The page on which the histories of several properties, of one home or of many, are laid over each other and taken away.

import uPlot from "./vendor/uplot.js";
import { html, render, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { clock, label, number, reason, value } from "./format.js";
import { Top } from "./nav.js";
import { axis, colour, columns, shade, timeAxis } from "./plot.js";

const hour = 3600e3, day = 24 * hour;
const presets = [["1 h", hour], ["24 h", day], ["7 days", 7 * day], ["30 days", 30 * day], ["1 year", 365 * day]];
const most = 8; // series in one chart: as many as there are colours to tell apart
const points = 500;

async function get(path) {
  const reply = await fetch("/api/v1" + path);
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(body.detail || body.title || "HTTP " + reply.status);
  return body;
}

const homeURL = (id) => "/homes/" + encodeURIComponent(id);

// The address says what is shown, so that it can be kept and sent: s=HOME/DEVICE/PROPERTY, and range= or from= and to=.
function read() {
  const query = new URLSearchParams(location.search);
  const series = query.getAll("s").slice(0, most).map((text) => {
    const first = text.indexOf("/"), last = text.lastIndexOf("/");
    return { home: text.slice(0, first), device: text.slice(first + 1, last), property: text.slice(last + 1) };
  }).filter((s) => s.home && s.device && s.property);
  const from = Date.parse(query.get("from")), to = Date.parse(query.get("to"));
  return { series, range: from < to ? { from, to } : { last: Number(query.get("range")) || day } };
}

function write({ series, range }) {
  const query = new URLSearchParams(series.map((s) => ["s", key(s)]));
  if (range.last) query.set("range", range.last);
  else { query.set("from", new Date(range.from).toISOString()); query.set("to", new Date(range.to).toISOString()); }
  history.replaceState(null, "", "?" + query);
}

const key = (s) => [s.home, s.device, s.property].join("/");
const tint = (i) => colour("--series-" + (i + 1));

/** What to add: a home, one of its devices, one of that one's properties. */
function Picker({ homes, devicesOf, add, full }) {
  const [home, inHome] = useState("");
  const [device, of] = useState("");
  const [property, choose] = useState("");
  const [devices, hold] = useState([]);
  useEffect(() => { if (!home && homes.length) inHome(homes[0].id); }, [homes]);
  useEffect(() => { of(""); if (home) devicesOf(home).then(hold, () => hold([])); }, [home]);
  const chosen = devices.find((d) => d.id === device);
  const properties = chosen ? chosen.properties.filter((p) => !p.write_only && !p.momentary && p.kind !== "text") : [];
  const submit = (e) => {
    e.preventDefault();
    if (home && device && property) add({ home, device, property });
  };
  const field = (name, now, set, options) => html`<label>${name}<select value=${now} onChange=${(e) => set(e.target.value)} required><option value="">choose</option>${options.map(([id, words]) => html`<option value=${id} selected=${id === now}>${words}</option>`)}</select></label>`;
  return html`<form class="card part picker" onSubmit=${submit} aria-label="Add a property to the chart">
    ${field("Home", home, inHome, homes.map((h) => [h.id, h.name]))}
    ${field("Device", device, (id) => { of(id); choose(""); }, devices.map((d) => [d.id, d.room ? `${d.name} (${d.room})` : d.name]))}
    ${field("Property", property, choose, properties.map((p) => [p.name, label(p.name) + (p.unit ? `, ${p.unit}` : "")]))}
    <button type="submit" class="small main" disabled=${full || !property}>Add</button>
    ${full && html`<p class="quiet">There is room for ${most} at once.</p>`}</form>`;
}

function local(t) { return new Date(t - new Date(t).getTimezoneOffset() * 60e3).toISOString().slice(0, 16); }

function Range({ range, span, choose }) {
  const from = useRef(), to = useRef();
  const own = (e) => {
    e.preventDefault();
    const a = Date.parse(from.current.value), b = Date.parse(to.current.value);
    if (a < b) choose({ from: a, to: b });
  };
  return html`<div class="bar"><span class="spans" role="group" aria-label="How far back">${presets.map(([name, ms]) => html`<button type="button" class="small" aria-pressed=${String(range.last === ms)} onClick=${() => choose({ last: ms })}>${name}</button>`)}</span>
    <form class="own" onSubmit=${own} key=${span.from + "-" + span.to}><label>From<input type="datetime-local" ref=${from} defaultValue=${local(span.from)} required/></label><label>To<input type="datetime-local" ref=${to} defaultValue=${local(span.to)} required/></label><button type="submit" class="small">Show</button></form></div>`;
}

// At most two axes: the unit of the first property on the left, the next other unit on the right, and the rest without one.
function options(shown, span, width) {
  const units = [...new Set(shown.map((s) => s.p.unit || ""))];
  const scale = (s) => "y" + units.indexOf(s.p.unit || "");
  const series = shown.map((s, i) => ({
    scale: scale(s), stroke: tint(i), width: 2, spanGaps: false, points: { show: s.history.points.length < 40, size: 5 },
    paths: s.p.kind === "bool" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
  }));
  const unitAxis = (unit, side) => ({ ...axis(), scale: "y" + units.indexOf(unit), side, size: 64, grid: { show: side === 3, stroke: colour("--line"), width: 1 }, values: (_, ticks) => ticks.map((v) => number(v) + (unit ? " " + unit : "")) });
  return {
    width, height: Math.max(260, Math.min(460, Math.round(width * 0.45))), legend: { show: false }, cursor: { y: false, drag: { x: true, y: false } },
    scales: { x: { time: true, range: [span.from / 1000, span.to / 1000] }, ...Object.fromEntries(units.map((_, i) => ["y" + i, { range: (u, lo, hi) => (lo === null ? [0, 1] : uPlot.rangeNum(lo, hi === lo ? lo + Math.max(1, Math.abs(lo) * 0.02) : hi, 0.1, true)) }])) },
    axes: [timeAxis(), unitAxis(units[0], 3), ...(units.length > 1 ? [unitAxis(units[1], 1)] : [])],
    series: [{}, ...series],
    hooks: { drawClear: [shade(shown.flatMap((s) => s.history.gaps), shown.flatMap((s) => s.history.repaired || []))] },
  };
}

function Plot({ shown, span, choose }) {
  const box = useRef(), note = useRef();
  useEffect(() => {
    if (!box.current || !shown.length) return undefined;
    let plot = null;
    const draw = () => {
      if (plot) plot.destroy();
      const tables = shown.map((s) => { const [x, , mean] = columns(s.history.points); return [x, mean]; });
      const data = tables.length > 1 ? uPlot.join(tables, tables.map(() => [2, 2])) : tables[0];
      const how = options(shown, span, box.current.clientWidth);
      how.hooks.setSelect = [(u) => { // dragging over a stretch looks closer at it
        const from = u.posToVal(u.select.left, "x") * 1000, to = u.posToVal(u.select.left + u.select.width, "x") * 1000;
        if (u.select.width > 8) choose({ from: Math.round(from), to: Math.round(to) });
      }];
      plot = new uPlot(how, data, box.current);
      plot.over.addEventListener("mousemove", () => follow(plot));
    };
    const follow = (u) => {
      const i = u.cursor.idx;
      const parts = i === null || i === undefined ? [] : shown.flatMap((s, n) => (u.data[n + 1][i] === null || u.data[n + 1][i] === undefined ? [] : [`${s.words}: ${value(s.p, s.p.kind === "bool" ? u.data[n + 1][i] >= 0.5 : u.data[n + 1][i])}`]));
      note.current.textContent = parts.length ? clock(u.data[0][i] * 1000) + " · " + parts.join(" · ") : "";
    };
    draw();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    addEventListener("resize", draw);
    scheme.addEventListener("change", draw);
    return () => { removeEventListener("resize", draw); scheme.removeEventListener("change", draw); if (plot) plot.destroy(); };
  }, [shown, span]);
  return html`<div class="plot" ref=${box} role="img" aria-label=${"Chart of " + shown.map((s) => s.words).join(", ") + ". The numbers are in the table below."}></div><p class="quiet note" ref=${note}></p>`;
}

function totals({ points }) {
  let lo = Infinity, hi = -Infinity, sum = 0, count = 0;
  for (const [, l, m, h, n] of points) { lo = Math.min(lo, l); hi = Math.max(hi, h); sum += m * n; count += n; }
  return count ? { lo, hi, mean: sum / count, count } : null;
}

function Legend({ list, remove }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="What is shown"><table class="legend-table"><thead><tr><th scope="col">Property</th><th scope="col">Lowest</th><th scope="col">Mean</th><th scope="col">Highest</th><th scope="col">Readings</th><td></td></tr></thead>
    <tbody>${list.map((s, i) => {
    const t = s.history && totals(s.history);
    const say = (v) => (t && s.p && s.p.kind !== "bool" ? value(s.p, v) : "–");
    return html`<tr key=${key(s)}><th scope="row"><span class="key" style=${"background: " + tint(i)}></span>${s.words} <a class="quiet" href=${homeURL(s.home)}>${s.homeName}</a>${s.error && html` <span class="failed">${s.error}</span>`}</th>
      <td>${say(t && t.lo)}</td><td>${say(t && t.mean)}</td><td>${say(t && t.hi)}</td><td>${t ? number(t.count) : s.history ? "none" : "…"}</td>
      <td><button type="button" class="plain-button" aria-label=${"Take " + s.words + " out"} title="Take it out" onClick=${() => remove(s)}>✕</button></td></tr>`;
  })}</tbody></table></div>`;
}

function Notes({ shown }) {
  const gaps = new Map(shown.flatMap((s) => s.history.gaps.map((g) => [s.home + g.from + g.reason, { ...g, home: s.homeName }])));
  const repaired = shown.flatMap((s) => (s.history.repaired || []).map((r) => ({ ...r, words: s.words })));
  if (!gaps.size && !repaired.length) return null;
  return html`<ul class="gaps">${[...gaps.values()].map((g) => html`<li><span class="swatch"></span>${g.home}: ${number(g.count)} readings missing, ${clock(g.from)} to ${clock(g.to)}: ${reason(g.reason)}</li>`)}
    ${repaired.map((r) => html`<li><span class="swatch repaired"></span>${r.words}: times repaired, ${clock(r.from)} to ${clock(r.to)}</li>`)}</ul>`;
}

// A file holds one home: its name is in no reading.
function Files({ list, span }) {
  const homes = [...new Map(list.map((s) => [s.home, s.homeName]))];
  const link = (home, format) => "/api/v1" + homeURL(home) + "/data?" + new URLSearchParams([...list.filter((s) => s.home === home).map((s) => ["series", s.device + "/" + s.property]), ["from", span.from], ["to", span.to], ["format", format]]);
  return html`<p class="files">Take the readings away: ${homes.map(([home, name]) => html`<span>${homes.length > 1 ? name + " " : ""}<a download href=${link(home, "csv")}>CSV</a> <a download href=${link(home, "line")}>line protocol</a></span>`)}</p>`;
}

function Table({ shown }) {
  const times = [...new Set(shown.flatMap((s) => s.history.points.map((p) => p[0])))].sort((a, b) => b - a).slice(0, 200);
  const by = shown.map((s) => new Map(s.history.points.map((p) => [p[0], p[2]])));
  return html`<details><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Means over time"><table><thead><tr><th scope="col">From</th>${shown.map((s) => html`<th scope="col">${s.words}</th>`)}</tr></thead>
    <tbody>${times.map((t) => html`<tr key=${t}><th scope="row">${clock(t)}</th>${shown.map((s, i) => html`<td>${by[i].has(t) ? value(s.p, s.p.kind === "bool" ? by[i].get(t) >= 0.5 : by[i].get(t)) : ""}</td>`)}</tr>`)}</tbody></table></div></details>`;
}

function useHistories(series, range, homes, devicesOf) {
  const [known, hold] = useState(new Map());
  const [tick, again] = useState(0);
  const span = useMemo(() => (range.last ? { from: Math.floor(Date.now() - range.last), to: Date.now() } : range), [range, tick]);
  useEffect(() => {
    if (!range.last) return undefined;
    const timer = setInterval(() => again((n) => n + 1), Math.max(30e3, range.last / points));
    return () => clearInterval(timer);
  }, [range]);
  useEffect(() => {
    let over = false;
    const ask = async (s) => {
      let found = { span };
      try {
        const device = (await devicesOf(s.home)).find((d) => d.id === s.device);
        const p = device && device.properties.find((p) => p.name === s.property);
        const query = new URLSearchParams({ device: s.device, property: s.property, from: span.from, to: span.to, points });
        found = { p: p || { name: s.property, kind: "number" }, words: `${device ? device.name : s.device}: ${label(s.property)}`, history: await get(homeURL(s.home) + "/history?" + query) };
      } catch (err) {
        found.error = err.message;
      }
      if (!over) hold((before) => new Map(before).set(key(s), found));
    };
    series.forEach(ask);
    return () => { over = true; };
  }, [series, span]);
  const name = new Map(homes.map((h) => [h.id, h.name]));
  const all = series.map((s) => ({ words: `${s.device}: ${label(s.property)}`, ...s, homeName: name.get(s.home) || s.home, ...known.get(key(s)) }));
  const shown = useMemo(() => all.filter((s) => s.history && s.p), [known, series, homes]);
  return [all, shown, span];
}

function App() {
  const [view, set] = useState(read);
  const [homes, list] = useState([]);
  const [error, fail] = useState("");
  const inventories = useRef(new Map());
  const devicesOf = (home) => {
    if (!inventories.current.has(home)) inventories.current.set(home, get(homeURL(home) + "/devices"));
    return inventories.current.get(home);
  };
  useEffect(() => { get("/homes").then(list, (err) => fail(err.message)); }, []);
  const change = (next) => { write(next); set(next); };
  const [all, shown, span] = useHistories(view.series, view.range, homes, devicesOf);
  const add = (s) => { if (!view.series.some((old) => key(old) === key(s))) change({ ...view, series: [...view.series, s] }); };
  const remove = (s) => change({ ...view, series: view.series.filter((old) => key(old) !== key(s)) });
  return html`<${Top} title="Explore"/><main>
    ${error && html`<p class="notice bad" role="alert">${error}</p>`}
    <${Picker} homes=${homes} devicesOf=${devicesOf} add=${add} full=${view.series.length >= most}/>
    <section class="card part" aria-label="Chart"><${Range} range=${view.range} span=${span} choose=${(range) => change({ ...view, range })}/>
      ${all.length ? html`<${Plot} shown=${shown} span=${span} choose=${(range) => change({ ...view, range })}/><${Legend} list=${all} remove=${remove}/><${Notes} shown=${shown}/><${Files} list=${all} span=${span}/><${Table} shown=${shown}/>`
      : html`<p class="empty">Add a property to see its history. Dragging over the chart looks closer.</p>`}</section></main>`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
