// Starting a job: whom it means, what it sets, and when; then whom that would reach, before it is started.

import { html, useState } from "./vendor/preact.js";
import { clock, number } from "./format.js";
import { Narrow, meantWords, narrowed, setWords, typed } from "./selection.js";
import { Sheet, ask, at } from "./sheet.js";

const spans = [["5m", "5 minutes"], ["1h", "an hour"], ["24h", "a day"], ["168h", "a week"]];

const common = ["on", "brightness", "color_temperature", "target_temperature", "hvac_mode", "position", "open", "lock", "child_lock"];

// The same form sent twice is one job. Pages without TLS have no randomUUID.
function freshID() { return "page-" + [...crypto.getRandomValues(new Uint8Array(10))].map((b) => b.toString(16).padStart(2, "0")).join(""); }

function wishOf(form) {
  const where = form.get("where");
  const select = where.startsWith("g:") ? { group: where.slice(2) } : { ...(where === "all" ? { all: true } : { homes: [where.slice(2)] }), ...narrowed(form) };
  const wish = { id: freshID(), set: { [form.get("property").trim()]: typed(form.get("value")) }, select, within: form.get("within") };
  if (form.get("when") === "later") wish.at = new Date(form.get("at")).toISOString();
  return wish;
}

function Refused({ list, total }) {
  return html`<details><summary>${number(total)} cannot take it</summary><ul class="members">${list.map((m) => html`<li>${m.home_name || m.home} ${m.device} <span class="failed">${m.error.message}</span></li>`)}
    ${total > list.length && html`<li class="quiet">and ${number(total - list.length)} more</li>`}</ul></details>`;
}

function Confirm({ tenant, wish, dry, names, groups, done }) {
  const [started, start] = useState(false);
  const [error, fail] = useState("");
  const go = async () => {
    try {
      await ask("POST", at("/tenants/", tenant, "/jobs"), wish);
      start(true);
      fail("");
      done();
    } catch (err) {
      fail(err.message);
    }
  };
  const takes = dry.states.pending || 0, refused = dry.states.refused || 0;
  return html`<p><strong>${setWords(wish.set)}</strong> for ${meantWords(wish.select, names, groups)}${wish.at ? ", at " + clock(Date.parse(wish.at)) : ""}.</p>
    <p role="status">${started ? "It is started." : wish.at ? `As it is now, ${number(takes)} ${takes === 1 ? "device takes" : "devices take"} it.` : `${number(takes)} ${takes === 1 ? "device takes" : "devices take"} it. Nothing was sent yet.`}</p>
    ${refused > 0 && html`<${Refused} list=${dry.refused} total=${refused}/>`}
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${!started && html`<p><button type="button" class="small main" id="start" disabled=${!takes && !wish.at} onClick=${go}>Start</button></p>`}`;
}

/** The form. */
export function NewJob({ tenant, homes, names, groups, done, close }) {
  const [where, choose] = useState("all");
  const [when, turn] = useState("now");
  const submit = async (form) => {
    const wish = wishOf(form);
    const dry = await ask("POST", at("/tenants/", tenant, "/jobs?dry=", "1"), wish);
    return html`<${Confirm} tenant=${tenant} wish=${wish} dry=${dry} names=${names} groups=${groups} done=${done}/>`;
  };
  return html`<${Sheet} title="New job" does="See whom it reaches" submit=${submit} close=${close}>
    <label>Where<select name="where" value=${where} onChange=${(e) => choose(e.target.value)}><option value="all">all homes</option>
      ${groups.length > 0 && html`<optgroup label="A group">${groups.map((g) => html`<option value=${"g:" + g.id}>${g.name}</option>`)}</optgroup>`}
      <optgroup label="One home">${homes.map((h) => html`<option value=${"h:" + h.id}>${h.name}</option>`)}</optgroup></select></label>
    ${!where.startsWith("g:") && html`<fieldset><legend>Which devices there</legend><${Narrow} chosen=${{ type: "light" }}/></fieldset>`}
    <div class="pair"><label>Set<input name="property" list="properties" required maxlength="64" autocapitalize="none" spellcheck="false" autocomplete="off" defaultValue="on"/></label>
      <label>to<input name="value" required maxlength="4096" autocomplete="off" autocapitalize="none" placeholder="off, 40, auto"/></label></div>
    <datalist id="properties">${common.map((name) => html`<option value=${name}/>`)}</datalist>
    <div class="pair"><label>When<select name="when" value=${when} onChange=${(e) => turn(e.target.value)}><option value="now">now</option><option value="later">at a time</option></select></label>
      ${when === "later" && html`<label>At<input name="at" type="datetime-local" required/></label>`}
      <label>Each has to happen within<select name="within">${spans.map(([span, words]) => html`<option value=${span}>${words}</option>`)}</select></label></div><//>`;
}
