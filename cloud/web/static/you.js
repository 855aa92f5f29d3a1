// One's own account: where one is signed in, and the password.

import { html, useState } from "./vendor/preact.js";
import { age, clock } from "./format.js";
import { Sheet, ask, at, useList } from "./sheet.js";

function Password({ me, close }) {
  const submit = async (form) => {
    await ask("PUT", "/password", { present: form.get("present"), password: form.get("password") });
    return html`<p role="status">The password is changed. All other sessions have ended.</p>`;
  };
  return html`<${Sheet} title="Change the password" does="Change" submit=${submit} close=${close}>
    <input type="email" name="email" value=${me.token_name} autocomplete="username" readonly hidden/>
    <label>Present password<input name="present" type="password" required maxlength="500" autocomplete="current-password"/></label>
    <label>New password<input name="password" type="password" required minlength="10" maxlength="500" autocomplete="new-password"/><small class="quiet">At least 10 characters, of any kind.</small></label><//>`;
}

/** A browser in a few words. */
function browserWords(agent) {
  const name = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]].find(([mark]) => agent.includes(mark))?.[1] ?? (agent.split("/")[0] || "a program");
  const on = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS", "a Mac"], ["Linux", "Linux"]].find(([mark]) => agent.includes(mark))?.[1];
  return on ? name + " on " + on : name;
}

/** Ends this session and goes to where one signs in. */
async function leave() {
  await ask("POST", "/logout");
  sessionStorage.setItem("hearth-again", "1");
  location.assign("/login");
}

export function You({ me }) {
  const list = useList("/sessions");
  const [changing, change] = useState(false);
  const [error, fail] = useState("");
  const doing = (what) => async () => {
    fail("");
    try {
      await what();
      await list.load();
    } catch (err) {
      fail(err.message);
    }
  };
  const others = (list.data || []).filter((s) => !s.present);
  return html`<div class="bar"><p>You are <strong>${me.token_name}</strong>.</p><div class="buttons">
      <button type="button" class="small" onClick=${() => change(true)}>Change the password</button><button type="button" class="small" onClick=${doing(leave)}>Sign out</button></div></div>
    ${(error || list.error) && html`<p class="notice bad" role="alert">${error || list.error}</p>`}
    <div class="bar"><h2>Where you are signed in</h2>${others.length > 0 && html`<button type="button" class="small" onClick=${doing(() => ask("DELETE", "/sessions"))}>End all others</button>`}</div>
    ${list.data && html`<ul class="card list">${list.data.map((s) => html`<li class="entry-row" key=${s.id}><h3 title=${s.agent}>${browserWords(s.agent)}${s.present ? html` <span class="state good">this one</span>` : ""}</h3>
      <p class="quiet">since ${clock(Date.parse(s.created))} from ${s.address} · last used ${age(Date.now() - Date.parse(s.seen))} · until ${clock(Date.parse(s.expires))}</p>
      <div class="acts">${!s.present && html`<button type="button" class="small" onClick=${doing(() => ask("DELETE", at("/sessions/", s.id)))}>End<span class="sr"> the session of ${browserWords(s.agent)}</span></button>`}</div></li>`)}</ul>`}
    ${changing && html`<${Password} me=${me} close=${() => { change(false); list.load(); }}/>`}`;
}
