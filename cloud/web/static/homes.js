// The page of all homes.

import { html, render, Component, useEffect, useRef, useState } from "./vendor/preact.js";
import { kindWords } from "./alerts.js";
import { AddHome } from "./addhome.js";
import { age, clock, number } from "./format.js";
import { Top } from "./nav.js";
import { Poll } from "./poll.js";
import { Stale } from "./stale.js";

const { version, add } = document.body.dataset;
const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

/** How much a home needs a look: 0 something is wrong and it is away, 1 something is wrong, 2 it is away, 3 nobody joined it yet, 4 all is well. */
function need(h) { return h.alerts > 0 ? (h.online ? 1 : 0) : h.online ? 4 : h.last_seen ? 2 : 3; }

const orders = {
  need: ["Trouble first", (a, b) => need(a) - need(b) || byName(a.name, b.name)],
  name: ["By name", (a, b) => byName(a.name, b.name)],
};

function stateOf(h) { return h.online ? ["good", "online"] : h.last_seen ? ["bad", "offline"] : ["", "not joined yet"]; }

/** One home. It is drawn again only when it changed, or its age in words did. */
class Row extends Component {
  shouldComponentUpdate(next) { return next.home !== this.props.home || next.seen !== this.props.seen; }

  render({ home, seen }) {
    const [mood, state] = stateOf(home);
    const kinds = (home.alert_kinds || []).map(kindWords).join(", ");
    return html`<li class="home"><h2><a href=${"/homes/" + encodeURIComponent(home.id)}>${home.name}</a></h2>
      <span class=${"state " + mood}>${state}</span>
      <span class="seen quiet">${home.last_seen ? html`<span class="sr">last seen </span><time datetime=${home.last_seen} title=${"last seen " + clock(Date.parse(home.last_seen))}>${seen}</time>` : null}</span>
      <span class="troubles">${home.alerts > 0 && html`<span class="chip bad" title=${kinds}>${number(home.alerts)} ${home.alerts === 1 ? "alert" : "alerts"}<span class="quiet">${kinds}</span></span>`}</span>
      <span class="waiting">${home.backlog > 0 && html`<span title="readings still on the gateway, as it last said">${number(home.backlog)} <span class="quiet">waiting</span></span>`}</span>
      <span class="version quiet">${home.version && html`<span class="sr">gateway version </span>${home.version}`}</span></li>`;
  }
}

// The same object stays for a home that did not change, so that its row need not be drawn again.
function kept(before, homes) {
  const known = new Map(before.map((h) => [h.id, h]));
  return homes.map((h) => {
    const old = known.get(h.id);
    return old && JSON.stringify(old) === JSON.stringify(h) ? old : h;
  });
}

function Notices({ poll }) {
  if (poll.ended || poll.connected === false) return html`<${Stale} ended=${poll.ended} lost=${poll.connected === false} since=${poll.at}/>`;
  return poll.error ? html`<p class="notice bad" role="alert">${poll.error}</p>` : null;
}

function summary(homes) {
  const count = (n, words) => (n ? [number(n) + " " + words] : []);
  return [
    number(homes.length) + (homes.length === 1 ? " home" : " homes"),
    ...count(homes.filter((h) => !h.online && h.last_seen).length, "offline"),
    ...count(homes.filter((h) => h.alerts > 0).length, "with alerts"),
    ...count(homes.filter((h) => !h.last_seen).length, "not joined yet"),
  ].join(" · ");
}

function List({ homes, poll, wanted, order }) {
  const needle = wanted.trim().toLowerCase();
  const shown = homes.filter((h) => !needle || `${h.name} ${h.id} ${h.version} ${stateOf(h)[1]} ${(h.alert_kinds || []).map(kindWords).join(" ")}`.toLowerCase().includes(needle));
  shown.sort(orders[order][1]);
  if (!shown.length) return html`<p class="empty">Nothing is called like that.</p>`;
  const now = poll.time();
  return html`<ul class=${"homes card" + (poll.connected === false ? " unsure" : "")}>
    <li class="home heads" aria-hidden="true"><span>Home</span><span>State</span><span>Last seen</span><span>Alerts</span><span>On the gateway</span><span>Version</span></li>
    ${shown.map((h) => html`<${Row} key=${h.id} home=${h} seen=${h.last_seen ? age(now - Date.parse(h.last_seen)) : ""}/>`)}</ul>`;
}

function App() {
  const [, redraw] = useState(0);
  const [wanted, find] = useState("");
  const [order, sort] = useState(orders[localStorage.getItem("hearth-order")] ? localStorage.getItem("hearth-order") : "need");
  const [adding, open] = useState(false);
  const state = useRef(null);
  const homes = useRef([]);
  if (!state.current) {
    state.current = new Poll(() => "/api/v1/homes", 10e3, () => {
      if (state.current.data) homes.current = kept(homes.current, state.current.data);
      redraw((n) => n + 1);
    });
  }
  const poll = state.current;
  useEffect(() => { poll.start(); }, []);
  const choose = (e) => { localStorage.setItem("hearth-order", e.target.value); sort(e.target.value); };
  const link = poll.connected === null ? ["", "connecting"] : poll.connected ? ["up", "live"] : ["down", "connection lost"];
  return html`<${Top} title="Homes">${add !== undefined && html`<button type="button" class="small" onClick=${() => open(true)}>Add a home</button>`}
      <span class=${"link " + link[0]} role="status">${link[1]}</span><//>
    <main><${Notices} poll=${poll}/>
      ${homes.current.length > 0 && html`<div class="tools"><p class="find"><input type="search" placeholder="Find a home" aria-label="Find a home" value=${wanted} onInput=${(e) => find(e.target.value)}/></p>
        <select aria-label="Order" value=${order} onChange=${choose}>${Object.entries(orders).map(([key, [words]]) => html`<option value=${key} selected=${key === order}>${words}</option>`)}</select>
        <p class="quiet">${summary(homes.current)}</p></div>
        <${List} homes=${homes.current} poll=${poll} wanted=${wanted} order=${order}/>`}
      ${poll.data && !homes.current.length && html`<p class="empty">There is no home yet.${add !== undefined ? " Add one, and join its gateway with the code it gets." : ""}</p>`}
      ${!poll.data && poll.connected === null && html`<p class="empty">Loading…</p>`}
      <p class="quiet foot">hearth-cloud ${version}</p></main>
    ${adding && html`<${AddHome} homes=${homes.current} ask=${() => poll.now()} close=${() => open(false)}/>`}`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
