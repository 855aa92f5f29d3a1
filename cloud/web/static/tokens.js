// Tokens: what programs sign in with.

import { html, useState } from "./vendor/preact.js";
import { age, clock } from "./format.js";
import { Place, Secret, Sheet, ask, at, placeOf, placeWords, useList } from "./sheet.js";

const scopes = {
  read: "reads", control: "reads, and gives commands", write: "sends readings, and nothing else", admin: "does everything there", gateway: "is a gateway",
};

function scopesOf(me) {
  const most = me.grants.some((g) => g.scope === "admin") ? 4 : me.grants.some((g) => g.scope === "control") ? 2 : 1;
  return ["read", "control", "write", "admin"].slice(0, most);
}

const lives = { 30: "30 days", 90: "90 days", 365: "a year", 0: "for good" };

function Make({ me, known, done, close }) {
  const submit = async (form) => {
    const days = Number(form.get("days"));
    const made = await ask("POST", "/tokens", {
      name: form.get("name"), scope: form.get("scope"), ...placeOf(form.get("place")), shared: form.has("shared"),
      ...(days ? { expires: new Date(Date.now() + days * 86400e3).toISOString() } : {}),
    });
    done();
    return html`<p>The token of <strong>${made.name}</strong>, shown this once:</p><${Secret} text=${made.token} name="token"/>`;
  };
  const admin = me.grants.some((g) => g.scope === "admin");
  return html`<${Sheet} title="Make a token" does="Make" submit=${submit} close=${close}>
    <label>Name<input name="name" required maxlength="64" placeholder="Grafana" autocomplete="off"/></label>
    <label>It<select name="scope">${scopesOf(me).map((scope) => html`<option value=${scope}>${scopes[scope]}</option>`)}</select></label>
    <${Place} me=${me} known=${known} all=${Boolean(me.user)} everywhere=${me.user ? "Wherever I may" : "Everything on this receiver"}/>
    <label>It works for<select name="days">${["30", "90", "365", "0"].map((days) => html`<option value=${days} selected=${days === "90"}>${lives[days]}</option>`)}</select></label>
    ${me.user && admin && html`<label class="tick"><input type="checkbox" name="shared"/>It is nobody's: it works on when I am gone</label>`}
    <p class="quiet">${me.user ? "A token of yours never allows more than you may yourself, and ends when you go." : "It belongs to nobody in person."}</p><//>`;
}

function Remove({ token, done, close }) {
  const submit = async () => { await ask("DELETE", at("/tokens/", token.name)); done(); };
  return html`<${Sheet} title="Take a token away" does="Take away" danger submit=${submit} close=${close}>
    <p>What uses <strong>${token.name}</strong> is out within ten seconds.${token.scope === "gateway" ? " It is a gateway's: its home gets no readings until a gateway joins with a new code." : ""}</p><//>`;
}

/** The tokens that one sees. */
export function Tokens({ me, known }) {
  const list = useList("/tokens");
  const [sheet, show] = useState(null);
  return html`<div class="bar"><p class="quiet">Programs use a token where people sign in: Grafana, Telegraf, a script.</p>
      <button type="button" class="small main" onClick=${() => show({ make: true })}>Make a token</button></div>
    ${list.error && html`<p class="notice bad" role="alert">${list.error}</p>`}
    ${list.data && (list.data.length ? html`<ul class="card list">${list.data.map((t) => html`<li class="entry-row" key=${t.name}>
        <div><h3>${t.name}</h3><p class="quiet">${t.owner ? "of " + t.owner : "shared"}</p></div>
        <div><p>${scopes[t.scope] || t.scope} <span class="quiet">${placeWords(known, t) || (t.owner ? "wherever they may" : "everywhere")}</span></p>
          <p class="quiet">${t.used ? "used " + age(Date.now() - Date.parse(t.used)) : "never used"} · ${t.expired ? html`<span class="failed">ended ${clock(Date.parse(t.expires))}</span>` : t.expires ? "until " + clock(Date.parse(t.expires)) : "for good"}</p></div>
        <div class="acts"><button type="button" class="small danger" onClick=${() => show({ token: t })}>Take away<span class="sr"> ${t.name}</span></button></div></li>`)}</ul>`
      : html`<p class="empty">There are no tokens.</p>`)}
    ${sheet && (sheet.make ? html`<${Make} me=${me} known=${known} done=${list.load} close=${() => show(null)}/>` : html`<${Remove} token=${sheet.token} done=${list.load} close=${() => show(null)}/>`)}`;
}
