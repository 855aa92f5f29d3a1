// Who did what, when and from where.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { clock } from "./format.js";
import { ask, placeWords } from "./sheet.js";

const page = 100;

const words = {
  login: "signed in", loginFailed: "could not sign in", logout: "signed out", useLink: "used a link", forgotPassword: "asked for a new password",
  addUser: "added a person", changeUser: "changed a person", removeUser: "removed a person", makeLink: "made a link", signOut: "ended somebody's sessions",
  giveRole: "gave a role", takeRole: "took a role away", changePassword: "changed their password", endSession: "ended a session", endOtherSessions: "ended their other sessions",
  addToken: "made a token", removeToken: "took a token away", addTenant: "added a tenant", changeTenant: "changed a tenant", removeTenant: "removed a tenant",
  addHome: "added a home", changeHome: "changed a home", removeHome: "removed a home", reclaimHome: "made a claim code", claimHome: "joined with a claim code", exportHome: "exported a home",
  giveCommand: "gave a command", setProperty: "set a property",
};

/** What somebody did: its operation's id, in words. */
function actionWords(action) { return words[action] || action.replace(/([A-Z])/g, (c) => " " + c.toLowerCase()); }

// Whoever signs in is the one it is about.
function detailWords(e) { return e.detail || (e.action.startsWith("login") ? "" : e.about); }

function whereWords(known, e) {
  if (e.home) return placeWords(known, { home: e.home });
  return known.tenants.find((t) => t.id === e.tenant)?.name ?? "";
}

/** The list, the newest first. */
export function Audit({ known }) {
  const [entries, hold] = useState(null);
  const [error, fail] = useState("");
  const [filter, choose] = useState({ home: "", who: "" });
  const [more, expect] = useState(false);
  const asked = useRef(0);
  const load = async (after) => {
    const turn = ++asked.current;
    const query = new URLSearchParams({ limit: page, ...Object.fromEntries(Object.entries({ ...filter, after }).filter(([, v]) => v)) });
    try {
      const got = await ask("GET", "/audit?" + query);
      if (turn !== asked.current) return; // something else is wanted by now
      hold((old) => (after ? [...old, ...got] : got));
      expect(got.length === page);
      fail("");
    } catch (err) {
      fail(err.message);
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => load(""), entries ? 300 : 0);
    return () => clearTimeout(timer);
  }, [filter]);
  return html`<div class="filters"><label>Home<select value=${filter.home} onChange=${(e) => choose({ ...filter, home: e.target.value })}><option value="">all</option>${known.homes.map((h) => html`<option value=${h.id}>${h.name}</option>`)}</select></label>
      <label>Who<input type="search" placeholder="an address or a token's name" value=${filter.who} onInput=${(e) => choose({ ...filter, who: e.target.value.trim() })}/></label></div>
    ${error && html`<p class="notice bad" role="alert">${error}</p>`}
    ${entries && (entries.length ? html`<div class="card"><table class="log"><thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Where</th><th scope="col">From</th></tr></thead>
      <tbody>${entries.map((e) => html`<tr key=${e.id}><td><time class="quiet" datetime=${e.time} title=${e.time}>${clock(Date.parse(e.time))}</time></td><td>${e.who}</td>
        <td class=${e.action === "loginFailed" ? "failed" : ""}>${actionWords(e.action)} ${detailWords(e) && html`<span class="quiet">${detailWords(e)}</span>`}</td>
        <td>${whereWords(known, e)}</td><td class="quiet from">${e.address}</td></tr>`)}</tbody></table></div>
      ${more && html`<button type="button" class="small more" onClick=${() => load(entries[entries.length - 1].id)}>Show more</button>`}` : html`<p class="empty">Nothing was done yet.</p>`)}`;
}
