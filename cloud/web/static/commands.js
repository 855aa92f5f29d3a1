// The commands of a home and what became of them.

import { html, useEffect, useState } from "./vendor/preact.js";
import { clock, label, number, value } from "./format.js";

const few = 8; // shown before somebody asks for more

const moods = { confirmed: "good", applied: "good", rejected: "bad", failed: "bad", expired: "bad" };

const words = {
  accepted: "accepted by the receiver", sent: "sent to the gateway", applied: "acknowledged by the device", confirmed: "confirmed by the device's own report",
  rejected: "rejected", failed: "failed", expired: "expired: not carried out in time", superseded: "superseded by a newer command",
};

function setWords(device, set) {
  return Object.entries(set).map(([name, v]) => {
    const p = device && device.properties.find((p) => p.name === name);
    return label(name) + " → " + value(p || { name }, v);
  }).join(", ");
}

function took(from, to) {
  const ms = Date.parse(to) - Date.parse(from);
  return ms < 1000 ? "+" + ms + " ms" : "+" + number(Math.round(ms / 100) / 10) + " s";
}

function Entry({ live, c }) {
  const device = live.devices.get(c.device);
  const mood = c.final ? moods[c.state] || "" : "busy";
  return html`<li class="command"><details><summary><span class="what"><strong>${device ? device.name : c.device}</strong> ${setWords(device, c.set)}</span>
      <span class=${"state " + mood}>${c.state}</span>
      <span class="quiet when">${live.age(c.issued)}${c.by ? ", by " + c.by : ""}</span>
      ${c.error && html`<span class="failed why">${c.error.message || c.error.code}</span>`}</summary>
    <ol>${c.history.map((step, i) => html`<li><time datetime=${step.time} title=${step.time}>${clock(Date.parse(step.time))}</time> ${words[step.state] || step.state}${i > 0 && html`<span class="quiet"> ${took(c.history[0].time, step.time)}</span>`}</li>`)}</ol>
    <p class="quiet"><small>${c.final ? "" : "until " + clock(Date.parse(c.deadline)) + ", "}id <code>${c.id}</code></small></p></details></li>`;
}

/** The list, newest first, live. */
export function Commands({ live }) {
  const [records, hold] = useState(null);
  const [error, fail] = useState("");
  const [all, more] = useState(false);
  useEffect(() => {
    let over = false, asking = false;
    const load = async () => {
      if (asking) return;
      asking = true;
      try {
        const list = await live.get("/commands");
        if (!over) { hold(new Map(list.map((c) => [c.id, c]))); fail(""); }
      } catch (err) {
        if (!over) fail(err.message);
      }
      asking = false;
    };
    const merge = (c) => hold((before) => {
      const known = before && before.get(c.id);
      return known && known.final ? before : new Map(before || []).set(c.id, c);
    });
    const end = live.onCommand((c) => (c ? merge(c) : load()));
    load();
    return () => { over = true; end(); };
  }, []);
  const list = records ? [...records.values()].sort((a, b) => (a.issued < b.issued ? 1 : a.issued > b.issued ? -1 : 0)) : [];
  const shown = all ? list : list.slice(0, few);
  return html`<section class="card part" id="commands" aria-labelledby="commands-title"><h2 id="commands-title">Commands</h2>
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${records && !list.length && html`<p class="quiet">None was given yet.</p>`}
    <ul class="commands">${shown.map((c) => html`<${Entry} key=${c.id} live=${live} c=${c}/>`)}</ul>
    ${list.length > few && html`<p><button type="button" class="small" aria-expanded=${String(all)} onClick=${() => more(!all)}>${all ? "Fewer" : "All " + number(list.length)}</button></p>`}</section>`;
}
