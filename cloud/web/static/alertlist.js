// The page of alerts over all homes: what is open, what was, the values that people want to be told of, and where events
// are delivered to.

import { html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { Rules } from "./alertrules.js";
import { allKinds, detailWords, kindWords } from "./alerts.js";
import { age, clock, number } from "./format.js";
import { Top } from "./nav.js";
import { Poll } from "./poll.js";
import { administers, ask, at } from "./sheet.js";
import { Stale } from "./stale.js";
import { Targets } from "./targets.js";

const { version } = document.body.dataset;
const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;
const page = 200; // alerts of the past asked for at once
const most = 1000; // open ones, the worst first: the receiver sends no more

/** How many are open, as far as is known. */
function sum(alerts) { return alerts.length < most ? number(alerts.length) : `the worst ${number(most)}`; }

function scopeIn(me, { home = "", tenant = "" }) {
  const order = ["read", "control", "admin"];
  return me.grants.filter((g) => (!g.home || g.home === home) && (!g.tenant || g.tenant === tenant))
    .reduce((most, g) => Math.max(most, order.indexOf(g.scope)), -1);
}

/** Whether somebody may give commands in a place. */
function controls(me, place) { return scopeIn(me, place) >= 1; }

/** How long something was so. */
function lasted(ms) {
  if (ms < 90e3) return Math.max(1, Math.round(ms / 1e3)) + " s";
  if (ms < 90 * 60e3) return Math.round(ms / 60e3) + " min";
  return ms < 36 * 3600e3 ? Math.round(ms / 3600e3) + " h" : Math.round(ms / 86400e3) + " days";
}

function where(alert, names) {
  if (alert.home) return html`<a href=${at("/homes/", alert.home)}>${names.get(alert.home) ?? alert.home}</a>`;
  return alert.kind === "outage" ? number(alert.count) + " homes" : "The receiver";
}

function Away({ alert, names }) {
  if (!alert.homes || !alert.homes.length) return null;
  const away = alert.homes.map((id) => [id, names.get(id) ?? id]).sort(([, a], [, b]) => byName(a, b));
  return html`<details><summary>Away still: ${number(away.length)}</summary><ul class="away-homes">${away.map(([id, name]) => html`<li key=${id}><a href=${at("/homes/", id)}>${name}</a></li>`)}</ul></details>`;
}

// The thing that a threshold is about is in its words already.
function about(alert) { return alert.about && alert.kind !== "threshold" ? html` <code class="quiet">${alert.about}</code>` : null; }

function Row({ alert, names, now, me, acknowledge }) {
  const raised = Date.parse(alert.raised);
  const over = alert.cleared && Date.parse(alert.cleared);
  const may = !over && !alert.acked && controls(me, alert);
  return html`<li class=${"alert-row " + alert.severity + (alert.acked || over ? " known" : "")} data-alert=${alert.id}>
    <div class="what"><span class=${"chip " + (over ? "" : alert.severity)}>${alert.severity === "critical" && html`<span class="sr">critical: </span>`}${kindWords(alert.kind)}</span><h3>${where(alert, names)}</h3></div>
    <div><p class="detail">${detailWords(alert)}${about(alert)}</p>
      <p class="quiet"><time datetime=${alert.raised} title=${clock(raised)}>${over ? clock(raised) : age(now - raised)}</time>${over ? ", for " + lasted(over - raised) : ""}${alert.times > 1 ? ` · came ${number(alert.times)} times` : ""}${alert.acked ? ` · acknowledged by ${alert.acked_by} ${age(now - Date.parse(alert.acked))}` : ""}</p>
      <${Away} alert=${alert} names=${names}/></div>
    <div class="acts">${may && html`<button type="button" class="small" onClick=${() => acknowledge(alert)}>Acknowledge<span class="sr"> ${kindWords(alert.kind)} of ${alert.home ? names.get(alert.home) : "many homes"}</span></button>`}</div></li>`;
}

function Filters({ wish, change, alerts, tenants }) {
  const kinds = allKinds.filter((kind) => kind === wish.kind || alerts.some((a) => a.kind === kind));
  const set = (name) => (e) => change({ ...wish, [name]: e.target.type === "checkbox" ? e.target.checked : e.target.value });
  return html`<div class="filters"><label>Find<input type="search" placeholder="Home, device, words" value=${wish.text} onInput=${set("text")}/></label>
    <label>Kind<select value=${wish.kind} onChange=${set("kind")}><option value="">all</option>${kinds.map((kind) => html`<option value=${kind} selected=${kind === wish.kind}>${kindWords(kind)}</option>`)}</select></label>
    <label>At least<select value=${wish.severity} onChange=${set("severity")}>${["info", "warning", "critical"].map((s) => html`<option value=${s} selected=${s === wish.severity}>${s}</option>`)}</select></label>
    ${tenants.length > 1 && html`<label>Tenant<select value=${wish.tenant} onChange=${set("tenant")}><option value="">all</option>${tenants.map((t) => html`<option value=${t.id} selected=${t.id === wish.tenant}>${t.name}</option>`)}</select></label>`}
    <label class="tick"><input type="checkbox" checked=${wish.fresh} onChange=${set("fresh")}/>Nobody acknowledged it</label></div>`;
}

const nothing = { text: "", kind: "", severity: "info", tenant: "", fresh: false };

function matches(wish, names) {
  const order = ["info", "warning", "critical"], needle = wish.text.trim().toLowerCase();
  return (a) => (!wish.kind || a.kind === wish.kind) && (!wish.tenant || a.tenant === wish.tenant) && (!wish.fresh || !a.acked) &&
    order.indexOf(a.severity) >= order.indexOf(wish.severity) &&
    (!needle || `${names.get(a.home) ?? ""} ${a.home ?? ""} ${kindWords(a.kind)} ${a.about ?? ""} ${a.detail} ${(a.homes ?? []).map((id) => names.get(id) ?? id).join(" ")}`.toLowerCase().includes(needle));
}

function Open({ me, known, poll, names }) {
  const [wish, change] = useState(nothing);
  const [said, say] = useState("");
  const list = useRef();
  const alerts = poll.data ?? [];
  const shown = alerts.filter(matches(wish, names));
  const acknowledge = async (alert) => {
    const place = shown.indexOf(alert);
    try {
      await ask("POST", at("/alerts/", alert.id, "/ack"));
      say(`Acknowledged: ${kindWords(alert.kind)}`);
    } catch (err) {
      say(err.message);
    }
    await poll.now();
    const buttons = [...list.current.querySelectorAll(".acts button")]; // the next one, for those who go on by keyboard
    (buttons.find((b) => [...list.current.children].indexOf(b.closest("li")) >= place) ?? buttons.at(-1) ?? list.current).focus();
  };
  if (!poll.data) return html`<p class="empty">Loading…</p>`;
  return html`${alerts.length > 0 && html`<${Filters} wish=${wish} change=${change} alerts=${alerts} tenants=${known.tenants}/>`}
    <p class="sr" role="status">${said}</p>
    ${alerts.length === 0 ? html`<p class="empty">Nothing is wrong.</p>` : html`<p class="quiet">${shown.length === alerts.length ? sum(alerts) + " open" : `${number(shown.length)} of ${sum(alerts)} open`}</p>`}
    <ul class="card list alerts" ref=${list} tabindex="-1" hidden=${!shown.length}>${shown.map((a) => html`<${Row} key=${a.id + a.home} alert=${a} names=${names} now=${poll.time()} me=${me} acknowledge=${acknowledge}/>`)}</ul>
    ${alerts.length > 0 && !shown.length && html`<p class="empty">None of the open alerts is like that.</p>`}`;
}

function Past({ me, known, poll, names }) {
  const [wish, change] = useState(nothing);
  const [state, hold] = useState({ alerts: [], more: true, error: "" });
  const load = async () => {
    const last = state.alerts.at(-1);
    try {
      const next = await ask("GET", `/alerts?open=0&limit=${page}` + (last ? "&before=" + Date.parse(last.raised) : ""));
      hold({ alerts: [...state.alerts, ...next], more: next.length === page, error: "" });
    } catch (err) {
      hold({ ...state, error: err.message });
    }
  };
  useEffect(() => { load(); }, []);
  const shown = state.alerts.filter(matches(wish, names));
  return html`${state.error && html`<p class="notice bad" role="alert">${state.error}</p>`}
    ${state.alerts.length > 0 && html`<${Filters} wish=${wish} change=${change} alerts=${state.alerts} tenants=${known.tenants}/>`}
    <ul class="card list alerts" hidden=${!shown.length}>${shown.map((a) => html`<${Row} key=${a.id} alert=${a} names=${names} now=${poll.time()} me=${me}/>`)}</ul>
    ${!shown.length && html`<p class="empty">${state.more && !state.error ? "Loading…" : state.alerts.length ? "None of these is like that." : "Nothing was ever wrong."}</p>`}
    ${state.more && state.alerts.length > 0 && html`<button type="button" class="small more" onClick=${load}>Earlier ones</button>`}`;
}

function partsOf(me, known) {
  return [
    ["open", "Open", Open], ["past", "History", Past],
    ...(known.tenants.length ? [["rules", "Values", Rules]] : []),
    ...(known.tenants.some((t) => administers(me, { tenant: t.id })) ? [["targets", "Deliveries", Targets]] : []),
  ];
}

function Tabs({ parts, chosen, choose, count }) {
  const move = (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const next = parts[(parts.findIndex(([id]) => id === chosen) + step + parts.length) % parts.length][0];
    choose(next);
    document.getElementById("tab-" + next).focus();
  };
  return html`<div class="tabs" role="tablist" aria-label="Parts of this page" onKeyDown=${move}>${parts.map(([id, name]) => html`<button type="button" role="tab" id=${"tab-" + id} key=${id}
    aria-selected=${id === chosen ? "true" : "false"} aria-controls="panel" tabIndex=${id === chosen ? 0 : -1} onClick=${() => choose(id)}>${name}${id === "open" && count > 0 && html` <span class="count">${number(count) + (count < most ? "" : "+")}</span>`}</button>`)}</div>`;
}

function Notices({ poll, error }) {
  if (poll.ended || poll.connected === false) return html`<${Stale} ended=${poll.ended} lost=${poll.connected === false} since=${poll.at}/>`;
  return error || poll.error ? html`<p class="notice bad" role="alert">${error || poll.error}</p>` : null;
}

function useWorld() {
  const [, redraw] = useState(0);
  const [world, know] = useState(null);
  const [error, fail] = useState("");
  const poll = useRef(null);
  poll.current ??= new Poll(() => "/api/v1/alerts?limit=" + most, 10e3, () => redraw((n) => n + 1));
  const load = async () => {
    try {
      const [who, homes, tenants] = await Promise.all([ask("GET", "/whoami"), ask("GET", "/homes"), ask("GET", "/tenants")]);
      const me = { ...who, grants: who.grants ?? [{ scope: who.scope, home: who.home || undefined, tenant: who.tenant }] };
      know({ me, known: { homes, tenants }, names: new Map(homes.map((h) => [h.id, h.name])) });
    } catch (err) {
      fail(err.message);
    }
  };
  useEffect(() => { poll.current.start(); load(); }, []);
  return { world, error, poll: poll.current };
}

function App() {
  const { world, error, poll } = useWorld();
  const [chosen, go] = useState(location.hash.slice(1));
  useEffect(() => {
    const turned = () => go(location.hash.slice(1));
    addEventListener("hashchange", turned);
    return () => removeEventListener("hashchange", turned);
  }, []);
  const choose = (id) => { history.replaceState(null, "", "#" + id); go(id); };
  const parts = world ? partsOf(world.me, world.known) : [];
  const [id, name, Part] = parts.find(([id]) => id === chosen) ?? parts[0] ?? [];
  const link = poll.connected === null ? ["", "connecting"] : poll.connected ? ["up", "live"] : ["down", "connection lost"];
  return html`<${Top} title="Alerts"><span class=${"link " + link[0]} role="status">${link[1]}</span><//>
    <main><${Notices} poll=${poll} error=${error}/>
      ${world && html`<${Tabs} parts=${parts} chosen=${id} choose=${choose} count=${poll.data ? poll.data.length : 0}/>
        <section class=${"panel" + (poll.connected === false ? " unsure" : "")} id="panel" role="tabpanel" aria-label=${name} key=${id}><${Part} ...${world} poll=${poll}/></section>`}
      ${!world && !error && html`<p class="empty">Loading…</p>`}
      <p class="quiet foot">hearth-cloud ${version}</p></main>`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
