// The values that people want to be told of.

import { html, useEffect, useState } from "./vendor/preact.js";
import { label } from "./format.js";
import { Sheet, ask, at, useList } from "./sheet.js";

const ops = { ">": "is above", ">=": "is at or above", "<": "is below", "<=": "is at or below", "=": "is", "!=": "is not" };
const types = ["light", "switch", "outlet", "sensor", "meter", "cover", "lock", "thermostat", "fan", "valve", "button", "siren", "coordinator", "other"];
const common = ["temperature", "humidity", "co2", "power", "battery", "open", "water_leak", "smoke", "occupancy", "on", "lock", "pressure", "energy", "illuminance", "voc", "pm25"];

/** What somebody typed: a number, true or false, or a text. */
function valueOf(text) {
  const words = { true: true, yes: true, on: true, false: false, no: false, off: false };
  const plain = text.trim();
  if (plain !== "" && Number.isFinite(Number(plain.replace(",", ".")))) return Number(plain.replace(",", "."));
  return words[plain.toLowerCase()] ?? plain;
}

function valueWords(v) { return v === true ? "true" : v === false ? "false" : String(v); }

function lastWords(seconds) {
  if (!seconds) return "";
  return " for " + (seconds % 3600 === 0 ? seconds / 3600 + " h" : seconds % 60 === 0 ? seconds / 60 + " min" : seconds + " s");
}

function which(rule) { return rule.device ? rule.device : rule.type ? "every " + rule.type : "every device"; }

function Edit({ rule = { op: ">", severity: "warning" }, tenant, known, done, close }) {
  const [home, choose] = useState(rule.home ?? "");
  const [devices, found] = useState([]);
  const [scope, narrow] = useState(rule.device ? "d:" + rule.device : rule.type ? "t:" + rule.type : "");
  const homes = known.homes.filter((h) => h.tenant === tenant);
  useEffect(() => {
    let wanted = true;
    if (home) ask("GET", at("/homes/", home, "/devices")).then((list) => wanted && found(list), () => wanted && found([]));
    else found([]);
    return () => { wanted = false; };
  }, [home]);
  const device = scope.startsWith("d:") ? scope.slice(2) : "";
  const shown = devices.find((d) => d.id === device);
  const properties = shown ? shown.properties.filter((p) => !p.momentary && !p.write_only).map((p) => p.name) : [...new Set([...devices.flatMap((d) => d.properties.map((p) => p.name)), ...common])];
  const submit = async (form) => {
    const minutes = Number(form.get("minutes") || 0);
    const body = {
      name: form.get("name"), home, ...(device ? { device } : scope.startsWith("t:") ? { type: scope.slice(2) } : {}), property: form.get("property").trim(), op: form.get("op"),
      value: valueOf(form.get("value")), for_s: Math.round(minutes * 60), hysteresis: Number(form.get("hysteresis") || 0), severity: form.get("severity"), disabled: form.has("off"),
    };
    await (rule.id ? ask("PUT", at("/tenants/", tenant, "/alert-rules/", rule.id), body) : ask("POST", at("/tenants/", tenant, "/alert-rules"), body));
    done();
  };
  return html`<${Sheet} title=${rule.id ? "Change" : "Tell me when"} does=${rule.id ? "Save" : "Add"} submit=${submit} close=${close}>
    <label>Home<select value=${home} onChange=${(e) => { choose(e.target.value); narrow(""); }}><option value="">all homes</option>${homes.map((h) => html`<option value=${h.id} selected=${h.id === home}>${h.name}</option>`)}</select></label>
    <label>Device<select value=${scope} onChange=${(e) => narrow(e.target.value)}><option value="">every device</option>
      <optgroup label="Every">${types.map((t) => html`<option value=${"t:" + t} selected=${scope === "t:" + t}>${t}</option>`)}</optgroup>
      ${(devices.length > 0 || device) && html`<optgroup label="One">${devices.map((d) => html`<option value=${"d:" + d.id} selected=${scope === "d:" + d.id}>${d.name || d.id}</option>`)}${device && !shown && html`<option value=${scope} selected>${device}</option>`}</optgroup>`}</select></label>
    <label>Property<input name="property" list="properties" required pattern="[a-z][a-z0-9_]*" maxlength="64" value=${rule.property} autocomplete="off" spellcheck="false"/>
      <datalist id="properties">${properties.map((p) => html`<option value=${p}>${label(p)}</option>`)}</datalist></label>
    <div class="pair"><label>Compared<select name="op">${Object.entries(ops).map(([op, words]) => html`<option value=${op} selected=${op === rule.op}>${words}</option>`)}</select></label>
      <label>With<input name="value" required value=${rule.value === undefined ? "" : valueWords(rule.value)} autocomplete="off" placeholder="5, true or a word"/></label></div>
    <div class="pair"><label>For (minutes)<input name="minutes" type="number" min="0" max="10080" step="any" value=${(rule.for_s ?? 0) / 60}/></label>
      <label>Until it is back by<input name="hysteresis" type="number" min="0" step="any" value=${rule.hysteresis ?? 0}/></label></div>
    <label>It is<select name="severity">${["info", "warning", "critical"].map((s) => html`<option value=${s} selected=${s === rule.severity}>${s}</option>`)}</select></label>
    <label>What to call it<input name="name" maxlength="100" value=${rule.name} autocomplete="off"/></label>
    <label class="tick"><input type="checkbox" name="off" checked=${rule.disabled}/>Not for now</label><//>`;
}

function Delete({ rule, tenant, done, close }) {
  const submit = async () => { await ask("DELETE", at("/tenants/", tenant, "/alert-rules/", rule.id)); done(); };
  return html`<${Sheet} title="Delete it" does="Delete" danger submit=${submit} close=${close}><p>Nobody is told any more when ${label(rule.property).toLowerCase()} ${ops[rule.op]} ${valueWords(rule.value)}. Its open alerts are cleared.</p><//>`;
}

/** The tenant that a part of the page is about. */
export function Tenant({ tenants, tenant, choose }) {
  if (tenants.length < 2) return null;
  return html`<label class="of">Tenant <select value=${tenant} onChange=${(e) => choose(e.target.value)}>${tenants.map((t) => html`<option value=${t.id} selected=${t.id === tenant}>${t.name}</option>`)}</select></label>`;
}

export function Rules({ me, known, names }) {
  const [tenant, choose] = useState(known.tenants[0].id);
  const [sheet, show] = useState(null);
  const list = useList(at("/tenants/", tenant, "/alert-rules"));
  const may = me.grants.some((g) => ["control", "admin"].includes(g.scope) && !g.home && (!g.tenant || g.tenant === tenant));
  const close = () => show(null);
  return html`<div class="bar"><p class="quiet">What people want to be told of beside what is always watched: gateways, drivers, silent devices, batteries, lost readings.</p>
      <${Tenant} tenants=${known.tenants} tenant=${tenant} choose=${choose}/>
      ${may && html`<button type="button" class="small main" onClick=${() => show({ edit: {} })}>Tell me when…</button>`}</div>
    ${list.error && html`<p class="notice bad" role="alert">${list.error}</p>`}
    ${list.data && (list.data.length ? html`<ul class="card list">${list.data.map((r) => html`<li class=${"entry-row" + (r.disabled ? " off" : "")} key=${r.id} data-rule=${r.id}>
        <div><h3>${r.name || label(r.property)}</h3><p class="quiet">${r.home ? names.get(r.home) ?? r.home : "all homes"} · ${which(r)}</p></div>
        <div><p>${label(r.property)} ${ops[r.op]} <strong>${valueWords(r.value)}</strong>${lastWords(r.for_s)}</p><p class="quiet">${r.severity}${r.hysteresis ? ` · until it is back by ${r.hysteresis}` : ""}${r.disabled ? " · not for now" : ""}</p></div>
        <div class="acts">${may && html`<button type="button" class="small" onClick=${() => show({ edit: { rule: r } })}>Change<span class="sr"> ${r.name || r.property}</span></button>
          <button type="button" class="small danger" onClick=${() => show({ rule: r })}>Delete<span class="sr"> ${r.name || r.property}</span></button>`}</div></li>`)}</ul>`
      : html`<p class="empty">Nobody wants to be told of a value yet.</p>`)}
    ${sheet && (sheet.edit ? html`<${Edit} ...${sheet.edit} tenant=${tenant} known=${known} done=${list.load} close=${close}/>` : html`<${Delete} rule=${sheet.rule} tenant=${tenant} done=${list.load} close=${close}/>`)}`;
}
