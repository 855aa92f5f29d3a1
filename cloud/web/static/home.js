// The page of one home.

import { html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { detailWords, kindWords } from "./alerts.js";
import { Chart } from "./chart.js";
import { Commands } from "./commands.js";
import { Devices } from "./devices.js";
import { clock, number } from "./format.js";
import { Machine } from "./gateway.js";
import { Ledger } from "./ledger.js";
import { Live } from "./live.js";
import { Top } from "./nav.js";
import { Poll } from "./poll.js";
import { Stale } from "./stale.js";

const { home, name, control } = document.body.dataset;
const base = "/api/v1/homes/" + encodeURIComponent(home);
const live = new Live(base, { relayed: true });
const darkAfter = 5 * 60e3; // as the receiver has it: a gateway away for so long leaves old values behind
const lostAfter = 30e3;     // so does a receiver that is away

/** What a gateway said of itself, with nothing missing: one of another version may leave things out. */
function whole(s) {
  if (!s) return null;
  return {
    version: "", uptime_s: 0, ...s, drivers: s.drivers || [], targets: s.targets || [], clock: s.clock || { trusted: false, source: "" },
    buffer: { produced: 0, bytes: 0, cap: 0, ...s.buffer }, disk: { per_day_bytes: 0, written_bytes: 0, ...s.disk },
  };
}

function Notices({ details, error, lost }) {
  const notices = [];
  if (live.ended || lost) notices.push(html`<${Stale} ended=${live.ended} lost=${lost} since=${lost}/>`);
  if (error) notices.push(html`<p class="notice bad" role="alert">${error}</p>`);
  if (details && !details.last_seen) notices.push(html`<p class="notice">No gateway has joined this home yet.</p>`);
  else if (details && !details.online && !lost) {
    notices.push(html`<p class="notice bad"><strong>The gateway is away</strong>, last seen ${live.age(details.last_seen)}. Values are from then. A command waits for it for five minutes, then it expires.</p>`);
  }
  return notices.length ? html`<div class="notices">${notices}</div>` : null;
}

function Alerts({ alerts }) {
  if (!alerts.length) return null;
  return html`<section class="card part" id="alerts" aria-labelledby="alerts-title"><h2 id="alerts-title">Alerts</h2>
    <ul>${alerts.map((a) => html`<li class="row"><span class="chip bad">${kindWords(a.kind)}</span><span class="words">${detailWords(a)} ${a.about && a.kind !== "threshold" && html`<code class="quiet">${a.about}</code>`}</span></li>`)}</ul></section>`;
}

function Fact({ words, children }) { return html`<div><dt>${words}</dt><dd>${children}</dd></div>`; }

function Head({ details, status, account, lost }) {
  if (!details) return null;
  const [mood, state] = lost ? ["", "not known"] : details.online ? ["good", "online"] : details.last_seen ? ["bad", "offline"] : ["", "not joined yet"];
  const trusted = status && status.clock.trusted;
  const seen = details.last_seen && html`<time datetime=${details.last_seen} title=${clock(Date.parse(details.last_seen))}>${live.age(details.last_seen)}</time>`;
  const odd = account && account.total.unexplained !== 0;
  return html`<dl class="head">
    <${Fact} words="Gateway"><span class=${"state " + mood}>${state}</span><//>
    <${Fact} words="Last seen">${seen || "never"}<//>
    <${Fact} words="Clock">${status ? html`<span class=${"state " + (trusted && mood === "good" ? "good" : "")}>${trusted ? "set" : "not set yet"}</span>` : "–"}<//>
    <${Fact} words="Version">${details.version || "–"}<//>
    <${Fact} words="On the gateway">${number(details.backlog)} readings<//>
    <${Fact} words="Alerts">${details.alerts ? html`<a href="#alerts" class="failed">${number(details.alerts)}</a>` : "none"}<//>
    <${Fact} words="Ledger"><a href="#ledger" class=${odd ? "failed" : ""}>${!account ? "–" : odd ? number(account.total.unexplained) + " unexplained" : "nothing unexplained"}</a><//></dl>`;
}

/** When the connection to the receiver broke, ms, or 0. */
function useLost(tick) {
  const since = useRef(0);
  if (live.connected === false) since.current ||= Date.now();
  else since.current = 0;
  useEffect(() => {
    if (!since.current) return undefined;
    const timer = setTimeout(tick, lostAfter); // its values become old
    return () => clearTimeout(timer);
  }, [since.current]);
  return since.current;
}

function useEverything() {
  const [, redraw] = useState(0);
  const [minute, pass] = useState(0);
  const polls = useRef(null);
  const tick = () => redraw((n) => n + 1);
  if (!polls.current) {
    const details = new Poll(() => base, 10e3, tick);
    const dayAgo = () => Math.floor(details.time() / 3600e3) * 3600e3 - 23 * 3600e3;
    polls.current = { details, ledger: new Poll(() => base + "/ledger?from=" + dayAgo(), 15e3, tick) };
  }
  useEffect(() => {
    const end = live.listen(tick);
    const timer = setInterval(() => pass((n) => n + 1), 20e3); // ages
    const { details, ledger } = polls.current;
    live.start();
    details.start().then(() => ledger.start());
    return () => { end(); clearInterval(timer); };
  }, []);
  // What was missed while the connection was down is asked for as soon as it is back.
  useEffect(() => { if (live.connected && polls.current.details.at) { polls.current.details.now(); polls.current.ledger.now(); } }, [live.connected]);
  return { ...polls.current, minute, tick };
}

function App() {
  const { details, ledger, minute, tick } = useEverything();
  const [charted, chart] = useState(null);
  const lost = useLost(tick);
  const about = details.data, account = ledger.data;
  live.offset = details.offset;
  const status = whole(live.status || (about && about.status));
  const away = about && !about.online && (!about.last_seen || live.now() - Date.parse(about.last_seen) > darkAfter);
  const dark = !!away || (lost > 0 && Date.now() - lost >= lostAfter);
  const said = status && (status.clock.now || (about && !about.online && about.last_seen));
  const device = charted && live.devices.get(charted.device);
  const p = device && device.properties.find((p) => p.name === charted.property);
  const link = live.connected === null ? ["", "connecting"] : live.connected ? ["up", "live"] : ["down", "connection lost"];
  return html`<${Top} title=${name}><span class=${"link " + link[0]} role="status">${link[1]}</span><//>
    <main><${Notices} details=${about} error=${details.error} lost=${lost}/>
      <${Head} details=${about} status=${status} account=${account} lost=${lost}/>
      <${Alerts} alerts=${about ? about.alert_list : []}/>
      <nav class="jump" aria-label="On this page"><a href="#devices">Devices</a><a href="#commands">Commands</a><a href="#ledger">Ledger</a><a href="#gateway">Gateway</a></nav>
      <div id="devices" class=${"devices" + (dark ? " unsure" : "")}><${Devices} live=${live} control=${control !== undefined} rename=${false} open=${(device, p) => chart({ device: device.id, property: p.name })} minute=${minute} dark=${dark}/></div>
      <div class="parts"><${Commands} live=${live}/><${Ledger} account=${account} error=${ledger.error} now=${live.now()}/></div>
      <div id="gateway">${status ? html`<${Machine} live=${live} status=${status} version=""/>
        ${said && html`<p class="quiet foot">The gateway said so ${live.age(said)}.</p>`}` : html`<p class="quiet">The gateway has not told of itself yet.</p>`}</div></main>
    ${p && html`<${Chart} live=${live} device=${device} p=${p} days=${30} compare=${"/explore?" + new URLSearchParams({ s: [home, device.id, p.name].join("/") })} close=${() => chart(null)}/>`}`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
