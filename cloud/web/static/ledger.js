// The loss ledger: of every reading that the gateway ever took, where it is.

import { html } from "./vendor/preact.js";
import { clock, number } from "./format.js";

const hour = 3600e3, hours = 24;

const columns = [
  ["produced", "Produced"], ["received", "Received"], ["on_gateway", "On the gateway"], ["dropped", "Dropped"],
  ["unexplained", "Unexplained"], ["duplicate", "Sent twice"],
];

const hints = {
  produced: "readings that the gateway ever stored", received: "readings that are safe here", on_gateway: "readings that still wait on the gateway, as it last said",
  dropped: "readings that were given up, each told by a gap", unexplained: "produced less all of the others: nothing may be here", duplicate: "came again and were not stored twice",
};

/** The last 24 hours, empty ones too, oldest first. */
function lastDay(account, now) {
  const known = new Map(account.hours.map((h) => [Date.parse(h.hour), h]));
  const last = Math.floor(now / hour) * hour;
  const none = { produced: 0, received: 0, on_gateway: 0, dropped: 0, unexplained: 0, duplicate: 0 };
  return Array.from({ length: hours }, (_, i) => last - (hours - 1 - i) * hour).map((t) => ({ ...none, ...known.get(t), t }));
}

const at = (t) => new Date(t).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

function words(h) {
  return at(h.t) + ": " + columns.filter(([key]) => h[key] !== 0 || key === "received").map(([key, name]) => number(h[key]) + " " + name.toLowerCase()).join(", ");
}

// A column of an hour: what came, what was given up, and in front of both what nobody can explain.
function Bars({ day }) {
  const most = Math.max(1, ...day.map((h) => Math.max(0, h.received) + Math.max(0, h.dropped) + Math.abs(h.unexplained)));
  const height = (n) => (n > 0 ? Math.max(n / most * 56, 1.5) : 0);
  return html`<svg class="hours" viewBox="0 0 240 72" role="img" aria-label="Readings received in each of the last 24 hours; the numbers are in the table below">
    ${day.map((h, i) => {
    const parts = [["received", height(h.received)], ["dropped", height(h.dropped)], ["unexplained", h.unexplained === 0 ? 0 : Math.max(4, height(Math.abs(h.unexplained)))]];
    let y = 58;
    return html`<g key=${h.t}><title>${words(h)}</title><rect class="back" x=${i * 10} y="0" width="10" height="60"/>
      ${parts.map(([kind, size]) => { y -= size; return size > 0 && html`<rect class=${kind} x=${i * 10 + 1} y=${y} width="8" height=${size}/>`; })}</g>`;
  })}
    <path class="floor" d="M0 58.500H240"/>
    ${day.map((h, i) => i % 6 === 0 && html`<text x=${i * 10 + 1} y="69">${at(h.t)}</text>`)}</svg>`;
}

function Table({ day }) {
  const shown = day.filter((h) => columns.some(([key]) => h[key] !== 0)).reverse();
  if (!shown.length) return html`<p class="quiet">Nothing came in the last 24 hours.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Readings by hour"><table><thead><tr><th scope="col">Hour</th>${columns.map(([, name]) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${shown.map((h) => html`<tr key=${h.t} class=${h.unexplained !== 0 ? "odd" : ""}><th scope="row">${at(h.t)}</th>${columns.map(([key]) => html`<td class=${h[key] === 0 ? "quiet" : key === "unexplained" ? "failed" : ""}>${number(h[key])}</td>`)}</tr>`)}</tbody></table></div>`;
}

/** The account of a home, as the receiver answers it. */
export function Ledger({ account, error, now }) {
  const total = account && account.total;
  const odd = total && total.unexplained;
  const day = account && lastDay(account, now);
  const before = day && odd && day.every((h) => h.unexplained === 0);
  return html`<section class="card part" id="ledger" aria-labelledby="ledger-title"><h2 id="ledger-title">Ledger</h2>
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${account && html`
    ${odd !== 0 && html`<p class="notice bad" role="alert"><strong>${number(Math.abs(odd))} readings are unexplained.</strong> ${odd > 0 ? "The gateway took them and they are neither here nor there." : "They arrived, and the gateway does not count them among those it took."}${before ? " That was more than a day ago." : ""}</p>`}
    <dl class="sum">${columns.map(([key, name]) => html`<div class=${key === "unexplained" ? (odd ? "odd" : "even") : ""} title=${hints[key]}><dt>${name}</dt><dd data-count=${key}>${number(total[key])}</dd></div>`)}</dl>
    <p class="quiet">${account.as_of ? "As of the gateway's last report, " + clock(Date.parse(account.as_of)) + "." : "Nothing was received yet."}</p>
    <${Bars} day=${day}/>
    <p class="legend quiet"><span class="received">received</span><span class="dropped">dropped</span><span class="unexplained">unexplained</span></p>
    <details><summary>By hour</summary><${Table} day=${day}/></details>`}</section>`;
}
