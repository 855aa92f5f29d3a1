// The page about jobs: one command for many devices, and the groups of devices that are often meant together.

import { html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { age, clock, number } from "./format.js";
import { Groups } from "./groups.js";
import { Top } from "./nav.js";
import { NewJob } from "./newjob.js";
import { Poll } from "./poll.js";
import { meantWords, setWords } from "./selection.js";
import { ask, at, useList } from "./sheet.js";
import { Stale } from "./stale.js";

const { version } = document.body.dataset;

// In the order of the bar, with what each is a sign of.
const moods = { confirmed: "good", applied: "good", sent: "busy", accepted: "busy", pending: "", superseded: "off", cancelled: "off", gone: "off", expired: "bad", rejected: "bad", failed: "bad", refused: "bad" };

const phases = { scheduled: ["", "scheduled"], running: ["busy", "under way"], cancelled: ["", "cancelled"], done: ["good", "done"] };

function Bar({ job }) {
  const words = Object.keys(moods).filter((s) => job.states[s]).map((s) => number(job.states[s]) + " " + s).join(", ");
  return html`<div class="progress" role="img" aria-label=${words || "nothing yet"}>${Object.entries(moods).map(([s, mood]) => job.states[s] > 0
    && html`<span key=${s} class=${mood} style=${"width: " + (100 * job.states[s]) / job.total + "%"}></span>`)}</div>`;
}

function Members({ tenant, job, state }) {
  const { data, error } = useList(at("/tenants/", tenant, "/jobs/", job.id, "/members?limit=100&state=", state));
  if (error) return html`<p class="failed" role="alert">${error}</p>`;
  if (!data) return html`<p class="quiet">Loading…</p>`;
  return html`<ul class="members" tabindex="0" aria-label=${"Devices that are " + state}>${data.map((m) => html`<li key=${m.n}><a href=${at("/homes/", m.home)}>${m.home_name || m.home || "–"}</a> ${m.device}
      ${m.error && html` <span class="failed">${m.error.message}</span>`}</li>`)}
    ${job.states[state] > data.length && html`<li class="quiet">and ${number(job.states[state] - data.length)} more</li>`}</ul>`;
}

function Job({ tenant, job, names, groups, may, poll }) {
  const [shown, show] = useState("");
  const [error, fail] = useState("");
  const cancel = async () => {
    try {
      await ask("POST", at("/tenants/", tenant, "/jobs/", job.id, "/cancel"));
      poll.now();
    } catch (err) {
      fail(err.message);
    }
  };
  const [mood, phase] = phases[job.phase] || ["", job.phase];
  const ended = Date.parse(job.ended), now = poll.time();
  return html`<li class="job"><header><h3>${setWords(job.set)}</h3><span class=${"state " + (job.ended || mood !== "busy" ? mood : "")}>${phase}</span></header>
    <p>${meantWords(job.select, names, groups)} <span class="quiet">· by ${job.by}, ${age(now - Date.parse(job.created))}${job.phase === "scheduled" ? ", for " + clock(Date.parse(job.at)) : ""}${job.ended ? `, took ${took(ended - Math.max(Date.parse(job.created), job.at ? Date.parse(job.at) : 0))}` : ""}</span></p>
    ${job.total > 0 && html`<${Bar} job=${job}/><ul class="counts">${Object.keys(moods).filter((s) => job.states[s]).map((s) => html`<li key=${s} class=${moods[s]}><button type="button" aria-expanded=${String(shown === s)} onClick=${() => show(shown === s ? "" : s)}>${number(job.states[s])} ${s}</button></li>`)}</ul>`}
    ${shown && job.states[shown] && html`<${Members} key=${shown + job.states[shown]} tenant=${tenant} job=${job} state=${shown}/>`}
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${may && !job.ended && job.phase !== "cancelled" && html`<p><button type="button" class="small danger" onClick=${cancel}>Call it off<span class="sr"> ${setWords(job.set)}</span></button></p>`}</li>`;
}

function took(ms) {
  if (ms < 90e3) return number(Math.max(1, Math.round(ms / 1e3))) + " s";
  return ms < 90 * 60e3 ? Math.round(ms / 60e3) + " min" : Math.round(ms / 3600e3) + " h";
}

function mayControl(me, tenant) {
  const grants = me.grants ?? [{ scope: me.scope, home: me.home || undefined, tenant: me.tenant }];
  return grants.some((g) => ["control", "admin"].includes(g.scope) && (!g.tenant || g.tenant === tenant));
}

function Tenant({ tenant, me, homes }) {
  const [, redraw] = useState(0);
  const [adding, add] = useState(false);
  const groups = useList(at("/tenants/", tenant, "/groups"));
  const state = useRef(null);
  state.current ??= new Poll(() => at("/api/v1/tenants/", tenant, "/jobs"), 1500, () => redraw((n) => n + 1));
  const poll = state.current;
  useEffect(() => { poll.start(); return () => { poll.every = 1e9; }; }, []);
  const may = mayControl(me, tenant), mine = homes.filter((h) => h.tenant === tenant), list = groups.data || [];
  const names = new Map(mine.map((h) => [h.id, h.name]));
  const again = () => { poll.now(); groups.load(); };
  return html`<${Stale} ended=${poll.ended} lost=${poll.connected === false} since=${poll.at}/>
    ${(poll.error || groups.error) && html`<p class="notice bad" role="alert">${poll.error || groups.error}</p>`}
    <section class="panel" aria-labelledby="jobs-title"><div class="bar"><h2 id="jobs-title">Jobs</h2>${may && html`<button type="button" class="small main" onClick=${() => add(true)}>New job</button>`}</div>
      ${poll.data && poll.data.length > 0 && html`<ul class="card list" id="jobs">${poll.data.map((job) => html`<${Job} key=${job.id} tenant=${tenant} job=${job} names=${names} groups=${list} may=${may} poll=${poll}/>`)}</ul>`}
      ${poll.data && !poll.data.length && html`<p class="empty">No job was started yet. A job gives one command to many devices, and shows what becomes of each.</p>`}
      ${!poll.data && poll.connected === null && html`<p class="empty">Loading…</p>`}</section>
    <section class="panel" aria-label="Groups"><${Groups} tenant=${tenant} groups=${list} homes=${mine} names=${names} may=${may} done=${again}/></section>
    ${adding && html`<${NewJob} tenant=${tenant} homes=${mine} names=${names} groups=${list} done=${again} close=${() => add(false)}/>`}`;
}

function App() {
  const [known, know] = useState(null);
  const [error, fail] = useState("");
  const [tenant, choose] = useState("");
  useEffect(() => {
    Promise.all([ask("GET", "/whoami"), ask("GET", "/homes"), ask("GET", "/tenants")]).then(([me, homes, tenants]) => {
      know({ me, homes, tenants });
      const last = localStorage.getItem("hearth-tenant");
      choose((tenants.find((t) => t.id === last) ?? tenants[0])?.id ?? "");
    }, (err) => fail(err.message));
  }, []);
  const turn = (e) => { localStorage.setItem("hearth-tenant", e.target.value); choose(e.target.value); };
  return html`<${Top} title="Jobs"/>
    <main>${error && html`<p class="notice bad" role="alert">${error}</p>`}
      ${known && known.tenants.length > 1 && html`<p class="tenant-choice"><label for="tenant">Tenant</label><select id="tenant" value=${tenant} onChange=${turn}>${known.tenants.map((t) => html`<option value=${t.id} selected=${t.id === tenant}>${t.name}</option>`)}</select></p>`}
      ${known && tenant && html`<${Tenant} key=${tenant} tenant=${tenant} me=${known.me} homes=${known.homes}/>`}
      ${known && !tenant && html`<p class="empty">Jobs are for those who see all homes of a tenant.</p>`}
      ${!known && !error && html`<p class="empty">Loading…</p>`}
      <p class="quiet foot">hearth-cloud ${version}</p></main>`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
