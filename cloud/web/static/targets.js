// Where events are delivered to, and how that goes.

import { html, useEffect, useState } from "./vendor/preact.js";
import { Tenant } from "./alertrules.js";
import { age, clock, number } from "./format.js";
import { Secret, Sheet, administers, ask, at, useList } from "./sheet.js";

const kinds = { alert: "alerts", online: "gateways that come and go", home: "homes that are added, change or go", command: "commands", device: "devices that change", job: "jobs", reading: "readings", status: "what gateways say of themselves" };
const states = { pending: "waits", held: "held until the quiet hours end", delivered: "arrived", summarised: "told in a summary", dropped: "dropped: too much waited", given_up: "given up after three days" };

function Quiet({ quiet }) {
  const [on, turn] = useState(Boolean(quiet));
  const zone = quiet?.zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return html`<fieldset><legend><label class="tick"><input type="checkbox" name="quiet" checked=${on} onChange=${(e) => turn(e.target.checked)}/>Quiet hours</label></legend>
    ${on && html`<div class="pair"><label>from<input name="from" type="time" required value=${quiet?.from ?? "22:00"}/></label><label>to<input name="to" type="time" required value=${quiet?.to ?? "07:00"}/></label></div>
      <label>Time zone<input name="zone" required value=${zone} spellcheck="false"/></label><p class="quiet">What is critical comes all the same. The rest comes as one summary when they end.</p>`}</fieldset>`;
}

function bodyOf(form, target) {
  const type = target.type ?? form.get("type");
  return {
    name: form.get("name"), type, events: form.getAll("events"), severity: form.get("severity"), homes: form.getAll("homes"), disabled: form.has("off"),
    ...(type === "webhook" ? { url: form.get("url").trim() } : { to: form.get("to").split(/[\s,;]+/).filter(Boolean) }),
    ...(form.get("every") ? { reading_every_s: Number(form.get("every")) } : {}),
    ...(form.has("quiet") ? { quiet: { zone: form.get("zone").trim(), from: form.get("from"), to: form.get("to") } } : {}),
  };
}

function Edit({ target = {}, tenant, known, done, close }) {
  const [type, choose] = useState(target.type ?? "webhook");
  const [events, pick] = useState(target.events ?? ["alert"]);
  const [some, limit] = useState(Boolean(target.homes?.length));
  const homes = known.homes.filter((h) => h.tenant === tenant);
  const submit = async (form) => {
    const body = bodyOf(form, target);
    if (target.id) {
      await ask("PUT", at("/tenants/", tenant, "/targets/", target.id), body);
      return done();
    }
    const made = await ask("POST", at("/tenants/", tenant, "/targets"), body);
    done();
    return made.secret && html`<p>Each request is signed with this secret, shown this once:</p><${Secret} text=${made.secret} name="secret"/>
      <p class="quiet">The header <code>Hearth-Signature</code> is <code>t=TIME,v1=HMAC</code>: HMAC-SHA256 of <code>TIME.BODY</code>, in hex.</p>`;
  };
  const toggle = (e) => pick(e.target.checked ? [...events, e.target.value] : events.filter((k) => k !== e.target.value));
  return html`<${Sheet} title=${target.id ? "Change " + target.name : "Deliver events"} does=${target.id ? "Save" : "Add"} submit=${submit} close=${close}>
    <label>Name<input name="name" required maxlength="100" value=${target.name} autocomplete="off"/></label>
    ${!target.id && html`<label>By<select name="type" value=${type} onChange=${(e) => choose(e.target.value)}><option value="webhook">webhook</option><option value="email">e-mail</option></select></label>`}
    ${type === "webhook" ? html`<label>Address<input name="url" type="url" required maxlength="2000" value=${target.url} placeholder="https://example.org/hook"/></label>`
    : html`<label>To<input name="to" required value=${(target.to ?? []).join(", ")} placeholder="me@example.org, you@example.org" autocomplete="email"/></label>`}
    <fieldset><legend>Events</legend>${Object.entries(kinds).map(([kind, words]) => html`<label class="tick"><input type="checkbox" name="events" value=${kind} checked=${events.includes(kind)} onChange=${toggle}/>${words}</label>`)}</fieldset>
    ${events.includes("alert") && html`<label>Alerts that are at least<select name="severity">${["info", "warning", "critical"].map((s) => html`<option value=${s} selected=${s === (target.severity ?? "warning")}>${s}</option>`)}</select></label>`}
    ${events.includes("reading") && html`<label>At most one reading of a property every so many seconds<input name="every" type="number" min="1" max="86400" value=${target.reading_every_s ?? 60}/></label>`}
    <label class="tick"><input type="checkbox" checked=${some} onChange=${(e) => limit(e.target.checked)}/>Of some homes only</label>
    ${some && html`<label>Homes<select name="homes" multiple required size=${Math.min(6, Math.max(2, homes.length))}>${homes.map((h) => html`<option value=${h.id} selected=${(target.homes ?? []).includes(h.id)}>${h.name}</option>`)}</select></label>`}
    <${Quiet} quiet=${target.quiet}/>
    <label class="tick"><input type="checkbox" name="off" checked=${target.disabled}/>Not for now</label><//>`;
}

function Renew({ target, tenant, close }) {
  const submit = async () => {
    const made = await ask("POST", at("/tenants/", tenant, "/targets/", target.id, "/secret"));
    return html`<p>From now on requests to <strong>${target.name}</strong> are signed with this secret, shown this once:</p><${Secret} text=${made.secret} name="secret"/>`;
  };
  return html`<${Sheet} title="Another secret" does="Make one" submit=${submit} close=${close}><p>The one that <strong>${target.name}</strong> has ends at once.</p><//>`;
}

function Delete({ target, tenant, done, close }) {
  const submit = async () => { await ask("DELETE", at("/tenants/", tenant, "/targets/", target.id)); done(); };
  return html`<${Sheet} title=${"Delete " + target.name} does="Delete" danger submit=${submit} close=${close}>
    <p>${target.pending ? `${number(target.pending)} events that wait for it are never delivered.` : "Nothing waits for it."}</p><//>`;
}

function Log({ target, tenant, close }) {
  const list = useList(at("/tenants/", tenant, "/targets/", target.id, "/deliveries"));
  useEffect(() => {
    const timer = setInterval(list.load, 5e3);
    return () => clearInterval(timer);
  }, []);
  return html`<${Sheet} title=${"Deliveries to " + target.name} does="Done" submit=${async () => {}} close=${close}>
    ${list.error && html`<p class="failed" role="alert">${list.error}</p>`}
    ${list.data && (list.data.length ? html`<ul class="log-rows">${list.data.map((d) => html`<li key=${d.n} class=${d.state}><span><strong>${d.kind}</strong> <span class="quiet">no. ${number(d.n)}, ${clock(Date.parse(d.created))}</span></span>
      <span class=${["dropped", "given_up"].includes(d.state) ? "failed" : ""}>${states[d.state] ?? d.state}${d.attempts > 1 || d.error ? `, ${number(d.attempts)} ${d.attempts === 1 ? "try" : "tries"}` : ""}</span>
      ${d.error && html`<span class="why quiet">${d.error}${d.due ? `; again ${clock(Date.parse(d.due))}` : ""}</span>`}</li>`)}</ul>` : html`<p class="quiet">Nothing was to be delivered yet.</p>`)}<//>`;
}

function State({ target }) {
  const parts = [];
  if (target.disabled) parts.push(html`<span class="failed">${target.note ? `stopped: ${target.note}` : "not for now"}</span>`);
  else if (target.attempts) parts.push(html`<span class="failed">${target.last_error} (${number(target.attempts)} ${target.attempts === 1 ? "try" : "tries"}${target.next_try ? ", again " + clock(Date.parse(target.next_try)) : ""})</span>`);
  if (target.pending - target.held > 0) parts.push(`${number(target.pending - target.held)} wait`);
  if (target.held) parts.push(`${number(target.held)} held until the quiet hours end`);
  if (target.dropped) parts.push(`${number(target.dropped)} dropped`);
  if (target.given_up) parts.push(`${number(target.given_up)} given up`);
  parts.push(target.delivered ? "last one " + age(Date.now() - Date.parse(target.delivered)) : "none yet");
  return html`<p class="quiet doing">${parts.map((part, i) => html`${i > 0 && " · "}${part}`)}</p>`;
}

function Row({ target, tenant, show, reload }) {
  const [result, hold] = useState(null);
  const test = async () => {
    hold({ busy: true });
    try {
      const outcome = await ask("POST", at("/tenants/", tenant, "/targets/", target.id, "/test"));
      hold(outcome.ok ? { ok: `The test arrived, in ${number(outcome.took_ms)} ms.` } : { error: "The test did not arrive: " + outcome.error });
    } catch (err) {
      hold({ error: err.message });
    }
    reload();
  };
  const name = html`<span class="sr"> ${target.name}</span>`;
  return html`<li class=${"entry-row" + (target.disabled ? " off" : "")} data-target=${target.id}>
    <div><h3>${target.name}</h3><p class="quiet">${target.type === "webhook" ? target.url : target.to.join(", ")}</p></div>
    <div><p>${target.events.map((kind) => kinds[kind] ?? kind).join(", ")}${target.events.includes("alert") && target.severity !== "info" ? ` (at least ${target.severity})` : ""}${target.homes ? `, of ${number(target.homes.length)} homes` : ""}${target.quiet ? ` · quiet ${target.quiet.from}–${target.quiet.to}` : ""}</p>
      <${State} target=${target}/><p role="status" class=${result && result.error ? "failed" : ""}>${result ? result.busy ? "Trying…" : result.ok ?? result.error : ""}</p></div>
    <div class="acts"><button type="button" class="small" onClick=${test} disabled=${result && result.busy}>Test${name}</button><button type="button" class="small" onClick=${() => show({ kind: "log", target })}>Log${name}</button>
      <button type="button" class="small" onClick=${() => show({ kind: "edit", target })}>Change${name}</button>
      ${target.type === "webhook" && html`<button type="button" class="small" onClick=${() => show({ kind: "renew", target })}>Secret${name}</button>`}
      <button type="button" class="small danger" onClick=${() => show({ kind: "delete", target })}>Delete${name}</button></div></li>`;
}

const sheets = { edit: Edit, renew: Renew, delete: Delete, log: Log };

export function Targets({ me, known }) {
  const tenants = known.tenants.filter((t) => administers(me, { tenant: t.id }));
  const [tenant, choose] = useState(tenants[0].id);
  const [sheet, show] = useState(null);
  const list = useList(at("/tenants/", tenant, "/targets"));
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) list.load(); }, 10e3);
    return () => clearInterval(timer);
  }, [tenant]);
  const Chosen = sheet && sheets[sheet.kind];
  return html`<div class="bar"><p class="quiet">Webhooks and e-mail. What cannot be delivered is tried for three days, in order.</p><${Tenant} tenants=${tenants} tenant=${tenant} choose=${choose}/>
      <button type="button" class="small main" onClick=${() => show({ kind: "edit" })}>Deliver events…</button></div>
    ${list.error && html`<p class="notice bad" role="alert">${list.error}</p>`}
    ${list.data && (list.data.length ? html`<ul class="card list">${list.data.map((t) => html`<${Row} key=${t.id} target=${t} tenant=${tenant} show=${show} reload=${list.load}/>`)}</ul>`
      : html`<p class="empty">Events are delivered nowhere yet. Programs can also listen by MQTT and over HTTP.</p>`)}
    ${Chosen && html`<${Chosen} target=${sheet.target} tenant=${tenant} known=${known} done=${list.load} close=${() => show(null)}/>`}`;
}
