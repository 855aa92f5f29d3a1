// One control for each kind of property. What a command asks for shows at once, marked until the device confirms it.

import { html, useState, useEffect } from "./vendor/preact.js";
import { label, value, alarming } from "./format.js";

/** How the newest command for a property is doing: {target, pending, failed, done}. */
export function progress(live, device, p) {
  const c = live.commandOf(device.id, p.name);
  if (!c) return p.target === undefined || p.target === null ? {} : { target: p.target, pending: true };
  if (!c.final) return { target: c.set[p.name], pending: true, state: c.state };
  if (c.state === "confirmed" || c.state === "applied") return { done: c.state };
  return { failed: (c.error && c.error.message) || c.state, state: c.state };
}

const stages = { accepted: "waiting", sent: "sent", applied: "done, waiting for its report" };

/** A line under a control: what is under way, or what went wrong. */
export function Outcome({ way, p }) {
  if (way.pending) return html`<span class="outcome pending" role="status">→ ${value(p, way.target)}<span class="quiet"> ${stages[way.state] || ""}</span></span>`;
  if (way.failed) return html`<span class="outcome failed" role="alert">${way.state === "expired" ? "not carried out in time" : way.failed}</span>`;
  if (way.done) return html`<span class="outcome done" role="status"><span class="sr">${label(p.name)} </span>✓</span>`;
  return null;
}

function Switch({ live, device, p, way, name }) {
  const on = way.pending ? way.target === true : p.value === true;
  return html`<button type="button" role="switch" class=${"switch" + (way.pending ? " busy" : "")} aria-checked=${String(on)}
    aria-label=${name} aria-busy=${String(!!way.pending)} data-property=${p.name}
    onClick=${() => live.set(device.id, { [p.name]: !on })}><span></span></button>`;
}

/** Whether a number has both ends; what is missing in JSON may be null. */
function ranged(p) { return typeof p.min === "number" && typeof p.max === "number"; }

function stepOf(p) {
  const span = p.max - p.min;
  if (p.name === "target_temperature") return 0.5;
  return span <= 2 ? 0.01 : span <= 50 ? 0.1 : span > 2000 ? 50 : 1;
}

function Slider({ live, device, p, way, name }) {
  const [dragged, drag] = useState(null);
  const shown = dragged ?? (way.pending ? way.target : p.value) ?? p.min;
  const commit = (e) => { drag(null); live.set(device.id, { [p.name]: Number(e.target.value) }); };
  return html`<span class=${"slider " + p.name}><input type="range" min=${p.min} max=${p.max} step=${stepOf(p)} value=${shown}
    aria-label=${name} aria-valuetext=${value(p, shown)} data-property=${p.name}
    onInput=${(e) => drag(Number(e.target.value))} onChange=${commit}/><output>${value(p, dragged ?? p.value)}</output></span>`;
}

function Stepper({ live, device, p, way, name }) {
  const shown = (way.pending ? way.target : p.value) ?? p.min;
  const step = stepOf(p);
  const to = (v) => live.set(device.id, { [p.name]: Math.min(p.max, Math.max(p.min, Math.round(v / step) * step)) });
  return html`<span class="stepper" role="group" aria-label=${name} data-property=${p.name}>
    <button type="button" class="small" aria-label="less" disabled=${shown <= p.min} onClick=${() => to(shown - step)}>−</button>
    <output>${value(p, shown)}</output>
    <button type="button" class="small" aria-label="more" disabled=${shown >= p.max} onClick=${() => to(shown + step)}>+</button></span>`;
}

function Select({ live, device, p, way, name }) {
  const shown = (way.pending ? way.target : p.value) ?? "";
  return html`<select aria-label=${name} data-property=${p.name} value=${shown} onChange=${(e) => e.target.value && live.set(device.id, { [p.name]: e.target.value })}>
    ${shown === "" && html`<option value="">–</option>`}
    ${p.options.map((o) => html`<option value=${o} selected=${o === shown}>${o.replaceAll("_", " ")}</option>`)}</select>`;
}

function Entry({ live, device, p, name }) {
  const [text, edit] = useState(null);
  const numeric = p.kind === "number";
  const submit = (e) => {
    e.preventDefault();
    if (text === null || (numeric && (text.trim() === "" || Number.isNaN(Number(text))))) return;
    live.set(device.id, { [p.name]: numeric ? Number(text) : text });
    edit(null);
  };
  return html`<form class="entry" onSubmit=${submit}><input type=${numeric ? "number" : "text"} step="any" min=${p.min} max=${p.max} maxlength="4096"
    aria-label=${name} data-property=${p.name} value=${text ?? p.value ?? ""} onInput=${(e) => edit(e.target.value)}/>
    <span class="quiet">${p.unit}</span><button type="submit" class="small" disabled=${text === null}>Set</button></form>`;
}

function Buttons({ live, device, p, name }) {
  const choices = p.kind === "bool" ? [true] : p.options;
  return html`<span class="buttons" role="group" aria-label=${name}>${choices.map((c) => html`<button type="button" class="small"
    data-property=${p.name} onClick=${() => live.set(device.id, { [p.name]: c })}>${c === true ? label(p.name) : c.charAt(0).toUpperCase() + c.slice(1).replaceAll("_", " ")}</button>`)}</span>`;
}

function Pairing({ live, device, p, way }) {
  const open = (way.pending ? way.target : p.value) > 0;
  const [left, count] = useState(0);
  useEffect(() => {
    const tick = () => count(Math.max(0, Math.round(p.value - (live.now() - Date.parse(p.time)) / 1e3)));
    tick();
    const timer = open ? setInterval(tick, 1000) : 0;
    return () => clearInterval(timer);
  }, [open, p.value, p.time]);
  return html`<span class="buttons">${open && left > 0 ? html`<output>${left} s left</output>` : null}<button type="button" class="small" data-property=${p.name}
    onClick=${() => live.set(device.id, { [p.name]: open ? 0 : Math.min(p.max ?? 254, 180) })}>${open ? "Stop" : "Add devices"}</button></span>`;
}

/** The control of a writable property, or null where the page offers none. */
export function Control({ live, device, p }) {
  const way = progress(live, device, p);
  const name = label(p.name) + " of " + device.name;
  const props = { live, device, p, way, name };
  if (p.name === "transition") return null; // goes along with others; it does nothing by itself
  if (p.name === "pairing") return html`<${Pairing} ...${props}/>`;
  if (p.write_only && (p.kind === "bool" || p.options)) return html`<${Buttons} ...${props}/>`;
  if (p.kind === "bool") return html`<${Switch} ...${props}/>`;
  if (p.options && p.options.length) return html`<${Select} ...${props}/>`;
  if (p.name.startsWith("target_temperature") && ranged(p)) return html`<${Stepper} ...${props}/>`;
  if (p.kind === "number" && ranged(p)) return html`<${Slider} ...${props}/>`;
  return html`<${Entry} ...${props}/>`;
}

/** A value that is only read; a number opens its chart. */
export function Reading({ live, device, p, open }) {
  const old = p.stale && p.value !== null;
  const text = p.momentary ? (p.last === undefined ? "–" : value(p, p.last) + ", " + live.age(p.lastTime)) : value(p);
  const marks = (old ? " old" : "") + (alarming(p) ? " alarm" : "");
  const title = p.time ? (old ? "old: " : "") + "reported " + live.age(p.time) : "never reported";
  if (open && p.kind !== "text" && !p.momentary) {
    return html`<button type="button" class=${"value" + marks} title=${title} data-property=${p.name} onClick=${() => open(device, p)}
      aria-label=${label(p.name) + " " + text + (old ? ", old" : "") + ": show history"}>${text}${old && html`<small> ${live.age(p.time)}</small>`}</button>`;
  }
  return html`<span class=${"value" + marks} title=${title} data-property=${p.name}>${text}${old && html`<small> ${live.age(p.time)}</small>`}</span>`;
}
