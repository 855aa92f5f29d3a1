// A dialog with a form, and what the parts of the page about people share.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { Live } from "./live.js";

const api = new Live("/api/v1");

/** Asks the API; an error's message is the problem's detail. */
export function ask(method, path, body) { return api.send(method, path, body); }

/** path/segment, safe for any id. */
export function at(...parts) { return parts.map((part, i) => (i % 2 ? encodeURIComponent(part) : part)).join(""); }

/** What is at a path, and how to ask again. data is null until it is there. */
export function useList(path) {
  const [state, hold] = useState({ data: null, error: "" });
  const load = async () => {
    try {
      hold({ data: await ask("GET", path), error: "" });
    } catch (err) {
      hold((old) => ({ ...old, error: err.message }));
    }
  };
  useEffect(() => { load(); }, [path]);
  return { ...state, load };
}

/** A dialog. submit is what its form does, and closes it unless it returns what to show instead or throws what is wrong. */
export function Sheet({ title, does, danger, submit, close, children }) {
  const dialog = useRef();
  const [made, show] = useState(null);
  const [error, fail] = useState("");
  const [busy, work] = useState(false);
  useEffect(() => {
    dialog.current.showModal();
    const first = dialog.current.querySelector("input:not([type=checkbox]), select");
    if (first) first.focus();
  }, []);
  const send = async (e) => {
    e.preventDefault();
    work(true);
    fail("");
    try {
      const next = await submit(new FormData(e.target));
      if (next) show(next); else dialog.current.close();
    } catch (err) {
      fail(err.message);
    }
    work(false);
  };
  return html`<dialog class="chart sheet" ref=${dialog} onClose=${close} aria-labelledby="sheet-title"><div class="inside">
    <header><h2 id="sheet-title">${title}</h2><button type="button" class="plain-button" aria-label="Close" onClick=${() => dialog.current.close()}>✕</button></header>
    ${made ? html`<div class="made">${made}<p class="buttons"><button type="button" class="small" onClick=${() => dialog.current.close()}>Done</button></p></div>`
      : html`<form onSubmit=${send}>${children}${error && html`<p class="failed" role="alert">${error}</p>`}
        <div class="buttons"><button type="submit" class=${"small " + (danger ? "danger" : "main")} disabled=${busy}>${does}</button></div></form>`}</div></dialog>`;
}

/** Something to copy, shown once. */
export function Secret({ text, name }) {
  const box = useRef();
  const [copied, done] = useState(false);
  const copy = async () => {
    getSelection().selectAllChildren(box.current); // stays selected where copying is not allowed
    try {
      await navigator.clipboard.writeText(text);
      done(true);
    } catch {
      done(false);
    }
  };
  return html`<pre><code ref=${box} aria-label=${name}>${text}</code></pre>
    <p><button type="button" class="small" onClick=${copy}>${copied ? "Copied" : navigator.clipboard ? "Copy" : "Select"}</button></p>`;
}

/** Where a role or token reaches, in words. known has the homes and tenants. */
export function placeWords(known, { home, tenant }) {
  if (home) return known.homes.find((h) => h.id === home)?.name ?? "home " + home;
  if (tenant) return (known.tenants.find((t) => t.id === tenant)?.name ?? "tenant " + tenant) + ", all homes";
  return "";
}

/** Whether somebody of these grants administers a place. */
export function administers(me, { home = "", tenant = "" }, homes = []) {
  if (home) tenant = homes.find((h) => h.id === home)?.tenant ?? "";
  return me.grants.some((g) => g.scope === "admin" && (!g.home || g.home === home) && (!g.tenant || g.tenant === tenant));
}

/** A field to choose a place in. Its value is "", t:<tenant> or h:<home>. */
export function Place({ me, known, everywhere, all = false, label = "Where" }) {
  const may = (place) => all || administers(me, place, known.homes);
  const tenants = known.tenants.filter((t) => may({ tenant: t.id })), homes = known.homes.filter((h) => may({ home: h.id }));
  return html`<label>${label}<select name="place" required>
    ${(all || administers(me, {})) && html`<option value="all">${everywhere}</option>`}
    ${tenants.length > 0 && html`<optgroup label="All homes of a tenant">${tenants.map((t) => html`<option value=${"t:" + t.id}>${t.name}</option>`)}</optgroup>`}
    ${homes.length > 0 && html`<optgroup label="One home">${homes.map((h) => html`<option value=${"h:" + h.id}>${h.name}</option>`)}</optgroup>`}</select></label>`;
}

/** What such a field says, as the API takes it. */
export function placeOf(value) {
  if (value.startsWith("h:")) return { home: value.slice(2) };
  if (value.startsWith("t:")) return { tenant: value.slice(2) };
  return {};
}
