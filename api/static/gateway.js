// A gateway's own status, as a person reads it: the same at the gateway and at the receiver.

import { html } from "./vendor/preact.js";
import { bytes, number } from "./format.js";

/** What the targets of the uploads are called. */
export const targetNames = { cloud: "Cloud", influx: "Database" };

function sync(targets) {
  if (!targets.length) return "nothing is uploaded";
  return targets.map((t) => {
    const name = targetNames[t.name] || t.name;
    if (t.error) return `${name}: ${number(t.backlog)} readings wait`;
    return t.backlog ? `${name}: ${number(t.backlog)} on the way` : `${name}: up to date`;
  }).join(" · ");
}

function uptime(s) {
  return s < 3600 ? Math.round(s / 60) + " min" : s < 172800 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " days";
}

const mood = { running: "good", connected: "good", idle: "good", refused: "bad", stopped: "bad" };

function Fact({ name, children }) { return html`<li class="row"><span class="name">${name}</span><span class="value">${children}</span></li>`; }

function Target({ live, t }) {
  return html`<div><h3>${targetNames[t.name] || t.name}</h3><ul>
    <${Fact} name="State"><span class=${"state " + (mood[t.state] || "")}>${t.state}</span><//>
    <${Fact} name="Waiting">${number(t.backlog)} readings<//>
    <${Fact} name="Arrived">${number(t.acknowledged)}<//>
    ${t.dropped > 0 && html`<${Fact} name="Dropped">${number(t.dropped)}<//>`}
    <${Fact} name="Last arrived">${t.last_acknowledged ? live.age(t.last_acknowledged) : "never"}<//>
    ${t.commands && html`<${Fact} name="Commands">${t.commands}<//>`}
    ${(t.error || t.note) && html`<li class="row"><p class=${t.error ? "failed" : "quiet"}>${t.error || t.note}</p></li>`}</ul></div>`;
}

/** All of it, to be opened. version stands in where the status has none. */
export function Machine({ live, status, version }) {
  if (!status) return null;
  const { buffer, disk, clock } = status;
  return html`<details class="card machine"><summary><h2>Gateway</h2><span class="quiet sync">${sync(status.targets)}</span></summary>
    <div class="facts">
      <div><h3>Drivers</h3><ul>${status.drivers.map((d) => html`<li class="row" key=${d.name}><span class="name">${d.name} <span class="quiet"> (${d.type})</span></span>
        <span class=${"value state " + (mood[d.state] || "")}>${d.state}${d.since ? html` <small class="quiet">since ${live.age(d.since)}</small>` : null}</span>${d.error && html`<p class="failed">${d.error}</p>`}</li>`)}
        ${!status.drivers.length && html`<li class="row quiet">none configured</li>`}</ul></div>
      ${status.targets.map((t) => html`<${Target} key=${t.name} live=${live} t=${t}/>`)}
      <div><h3>Buffer and disk</h3><ul>
        <${Fact} name="Readings taken">${number(buffer.produced)}<//>
        <${Fact} name="Buffer">${bytes(buffer.bytes)} of ${bytes(buffer.cap)}<//>
        <${Fact} name="Goes back to">${buffer.oldest ? live.age(buffer.oldest) : "–"}<//>
        <${Fact} name="Disk wear">${bytes(disk.per_day_bytes)} a day<//>
        <${Fact} name="Written">${bytes(disk.written_bytes)}<//></ul></div>
      <div><h3>Machine</h3><ul>
        <${Fact} name="Clock"><span class=${"state " + (clock.trusted ? "good" : "")}>${clock.trusted ? "set" : "not set yet"}${clock.source ? html` <small class="quiet">${clock.source}</small>` : null}</span><//>
        <${Fact} name="Running for">${uptime(status.uptime_s)}<//>
        <${Fact} name="Version">${status.version || version}<//></ul></div>
    </div></details>`;
}
