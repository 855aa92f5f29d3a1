// Devices as cards, grouped by room: the same at the gateway and at the receiver.

import { html, Component, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { Control, Outcome, Reading, progress } from "./controls.js";
import { Icon } from "./icons.js";
import { label, number } from "./format.js";

// What is only of interest when something is wrong.
const technical = /^(link_quality|rssi|battery_voltage|voltage|current|frequency|power_factor|power_apparent|power_reactive|tariff|uptime|buffer_rows|buffer_bytes|clock_offset|flash_written|cpu_temperature|rss|power_on_behavior|identify|refresh|reset_energy|color_x|color_y|reachable|interview|reinterview|remove|firmware|pan_id|extended_pan_id|install_code|ban|allow|resets|channel|binary_input|display_unit|device_temperature|local|pi|lock_event|scene|membership)(_|$)/;

// What a person looks for first.
const first = ["on", "brightness", "target_temperature", "temperature", "humidity", "occupancy", "open", "lock", "position", "movement", "power", "energy"];

/** Whether a property belongs under "More". Routers can let devices in, but a person opens the network at its coordinator. */
function aside(device, p) { return technical.test(p.name) || p.name === "pairing" && device.type !== "coordinator"; }

function order(p) {
  const i = first.indexOf(p.name);
  return i < 0 ? first.length : i;
}

function sorted(properties) { return [...properties].sort((a, b) => order(a) - order(b)); }

/** Text that becomes a field when it is clicked. save returns a promise; its error is shown. */
export function Editable({ text, placeholder, name, save, list, allowed, children }) {
  const [editing, edit] = useState(false);
  const [error, fail] = useState("");
  const field = useRef(), leaving = useRef(false);
  useLayoutEffect(() => { if (editing) { field.current.focus(); field.current.select(); } }, [editing]);
  if (!allowed) return children;
  if (!editing) return html`<button type="button" class="editable" aria-label=${"Change " + name} title="Change" onClick=${() => { leaving.current = false; edit(true); }}>${children}</button>`;
  const done = async () => {
    if (leaving.current) return;
    leaving.current = true;
    const wanted = field.current.value.trim();
    try {
      if (wanted !== text) await save(wanted);
      edit(false);
      fail("");
    } catch (err) {
      leaving.current = false;
      fail(err.message);
    }
  };
  const keys = (e) => {
    if (e.key === "Escape") { leaving.current = true; fail(""); edit(false); }
  };
  return html`<form class="editing" onSubmit=${(e) => { e.preventDefault(); done(); }}><input ref=${field} defaultValue=${text} value=${text} placeholder=${placeholder} aria-label=${name}
    list=${list} maxlength="100" onBlur=${done} onKeyDown=${keys}/>${error && html`<small class="failed" role="alert">${error}</small>`}</form>`;
}

function Row({ live, device, p, control, open }) {
  const way = progress(live, device, p);
  const control_ = control && p.writable ? html`<${Control} live=${live} device=${device} p=${p}/>` : null;
  if (p.write_only && (!control_ || p.name === "transition")) return null;
  // A slider shows its value itself; its history opens from its name.
  const chart = open && p.writable && control_ && !p.write_only && p.kind !== "text";
  return html`<li class=${"row" + (p.stale ? " stale" : "")}><span class="name">${chart ? html`<button type="button" aria-label=${label(p.name) + ": show history"} onClick=${() => open(device, p)}>${label(p.name)}</button>` : label(p.name)}
    ${control_ && html`<${Outcome} way=${way} p=${p}/>`}</span>
    ${control_ || html`<${Reading} live=${live} device=${device} p=${p} open=${open}/>`}
    ${control_ && p.stale && p.value !== null && html`<small class="old late">old: reported ${live.age(p.time)}</small>`}</li>`;
}

/** One device. It is drawn again only when something about it changed. */
export class Card extends Component {
  shouldComponentUpdate(next) {
    return next.device !== this.props.device || next.minute !== this.props.minute || next.dark !== this.props.dark;
  }

  render({ live, device, control, rename, admin, open, dark }) {
    const properties = sorted(dark ? device.properties.map((p) => ({ ...p, stale: true })) : device.properties);
    const shown = properties.filter((p) => !aside(device, p));
    const rest = properties.filter((p) => aside(device, p));
    const main = shown.find((p) => p.name === "on" && p.writable && control);
    const rows = shown.filter((p) => p !== main);
    const id = "d-" + device.id.replaceAll(/[^A-Za-z0-9]/g, "-");
    const patch = (body) => live.send("PATCH", "/devices/" + encodeURIComponent(device.id), body).then((d) => { live.device(d); live.changed(); });
    const remove = () => confirm(`Forget ${device.name}? Its history stays. If it is still there, it comes back.`)
      && live.send("DELETE", "/devices/" + encodeURIComponent(device.id)).catch((err) => alert(err.message));
    return html`<article class=${"card device" + (device.reachable ? "" : " away")} aria-labelledby=${id} data-device=${device.id}>
      <header><span class=${"badge" + (main && main.value === true ? " lit" : "")}><${Icon} type=${device.type}/></span>
        <div class="who"><h3 id=${id}><${Editable} text=${device.name} name=${"name of " + device.name} allowed=${rename} save=${(name) => patch({ name })}>${device.name}<//></h3>
        ${main && html`<${Outcome} way=${progress(live, device, main)} p=${main}/>`}
        ${device.reachable ? null : html`<span class="tag bad">out of reach${device.last_seen ? ", last heard " + live.age(device.last_seen) : ""}</span>`}</div>
        ${main && html`<${Control} live=${live} device=${device} p=${main}/>`}</header>
      <ul class="rows">${rows.map((p) => html`<${Row} key=${p.name} live=${live} device=${device} p=${p} control=${control} open=${open}/>`)}</ul>
      <details><summary>More<span class="sr"> about ${device.name}</span></summary>
        <ul class="rows">${main && open && html`<${Row} live=${live} device=${device} p=${{ ...main, writable: false }} open=${open}/>`}${rest.map((p) => html`<${Row} key=${p.name} live=${live} device=${device} p=${p} control=${control} open=${open}/>`)}
          <li class="row"><span class="name">Room</span><${Editable} text=${device.room} placeholder="no room" list="rooms" name=${"room of " + device.name} allowed=${rename} save=${(room) => patch({ room })}><span class="value">${device.room || "none"}</span><//></li>
          ${(device.vendor || device.model) && html`<li class="row"><span class="name">Model</span><span class="value">${device.vendor} ${device.model}</span></li>`}
          ${device.firmware && html`<li class="row"><span class="name">Firmware</span><span class="value">${device.firmware}</span></li>`}
          <li class="row"><span class="name">Last heard</span><span class="value">${device.last_seen ? live.age(device.last_seen) : "never"}</span></li>
          <li class="row"><span class="name">Id</span><code class="value">${device.id}</code></li></ul>
        ${admin && html`<button type="button" class="small danger" onClick=${remove}>Forget this device</button>`}</details>
    </article>`;
  }
}

function byRoom(devices) {
  const rooms = new Map();
  for (const d of devices) {
    if (!rooms.has(d.room)) rooms.set(d.room, []);
    rooms.get(d.room).push(d);
  }
  const named = [...rooms].sort(([a], [b]) => (a === "") - (b === "") || a.localeCompare(b));
  for (const [, list] of named) list.sort((a, b) => (a.type === "coordinator") - (b.type === "coordinator") || a.name.localeCompare(b.name));
  return named;
}

/** All devices of a home. open(device, property) shows a history. dark: nothing is heard, so every value is old. */
export function Devices({ live, control, rename = control, admin, open, minute, dark = false }) {
  const [wanted, find] = useState("");
  const all = [...live.devices.values()];
  const needle = wanted.trim().toLowerCase();
  const rooms = byRoom(all.filter((d) => !needle || `${d.name} ${d.room} ${d.type} ${d.model} ${d.id}`.toLowerCase().includes(needle)));
  if (!all.length) return html`<p class="empty">${live.connected === null ? "Loading…" : "No devices yet. They show up here as soon as a driver finds them."}</p>`;
  return html`<datalist id="rooms">${[...new Set(all.map((d) => d.room))].filter(Boolean).map((r) => html`<option value=${r}/>`)}</datalist>
    ${all.length > 8 && html`<p class="find"><input type="search" placeholder=${"Find among " + number(all.length) + " devices"} aria-label="Find devices" value=${wanted} onInput=${(e) => find(e.target.value)}/></p>`}
    ${rooms.map(([room, list]) => html`<section key=${room} class="room" aria-label=${room || "No room"}>
      ${(rooms.length > 1 || room) && html`<h2>${room || "Not in a room"}</h2>`}
      <div class="cards">${list.map((d) => html`<${Card} key=${d.id} live=${live} device=${d} control=${control} rename=${rename} admin=${admin} open=${open} minute=${minute} dark=${dark}/>`)}</div></section>`)}
    ${!rooms.length && html`<p class="empty">Nothing is called like that.</p>`}`;
}
