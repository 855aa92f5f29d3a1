// Tenants and their homes: names, joining again, taking data along, and removing.

import { html, useState } from "./vendor/preact.js";
import { claimCommand } from "./addhome.js";
import { clock } from "./format.js";
import { Secret, Sheet, administers, ask, at } from "./sheet.js";

function AddTenant({ done, close }) {
  const submit = async (form) => { await ask("POST", "/tenants", { name: form.get("name") }); done(); };
  return html`<${Sheet} title="Add a tenant" does="Add" submit=${submit} close=${close}>
    <p>A tenant owns homes: a landlord, an installer's customer, a family. Its people see no other's.</p>
    <label>Name<input name="name" required maxlength="100" autocomplete="off"/></label><//>`;
}

function ChangeTenant({ tenant, root, done, close }) {
  const submit = async (form) => {
    await ask("PATCH", at("/tenants/", tenant.id), { name: form.get("name"), ...(root ? { retention_days: Number(form.get("days")) } : {}) });
    done();
  };
  return html`<${Sheet} title="Change a tenant" does="Save" submit=${submit} close=${close}>
    <label>Name<input name="name" required maxlength="100" value=${tenant.name} autocomplete="off"/></label>
    ${root && html`<label>Readings are kept for so many days<input name="days" type="number" min="0" max="36500" required value=${tenant.retention_days}/><small class="quiet">0: as long as the receiver's configuration says</small></label>`}<//>`;
}

function RemoveTenant({ tenant, done, close }) {
  const submit = async (form) => { await ask("DELETE", at("/tenants/", tenant.id, "?force=", form.has("homes") ? "homes" : "")); done(); };
  return html`<${Sheet} title=${"Remove " + tenant.name} does="Remove for good" danger submit=${submit} close=${close}>
    <p>The roles and tokens in it go, too.</p>
    ${tenant.homes > 0 && html`<label class="tick"><input type="checkbox" name="homes" required/>Also its homes (${tenant.homes}) with all of their readings, for good</label>`}<//>`;
}

function ChangeHome({ home, known, root, done, close }) {
  const submit = async (form) => {
    const tenant = form.get("tenant");
    await ask("PATCH", at("/homes/", home.id), { name: form.get("name"), ...(tenant && tenant !== home.tenant ? { tenant } : {}) });
    done();
  };
  return html`<${Sheet} title="Change a home" does="Save" submit=${submit} close=${close}>
    <label>Name<input name="name" required maxlength="100" value=${home.name} autocomplete="off"/></label>
    ${root && known.tenants.length > 1 && html`<label>Tenant<select name="tenant">${known.tenants.map((t) => html`<option value=${t.id} selected=${t.id === home.tenant}>${t.name}</option>`)}</select></label>`}<//>`;
}

function Join({ home, close }) {
  const submit = async () => {
    const made = await ask("POST", at("/homes/", home.id, "/claim"));
    return html`<p>Type this on the new gateway of <strong>${home.name}</strong>:</p><${Secret} text=${claimCommand(made.claim_code)} name="command"/>
      <p class="quiet">The code works once, until ${clock(Date.parse(made.expires))}.</p>`;
  };
  return html`<${Sheet} title="Another gateway" does="Make a code" submit=${submit} close=${close}>
    <p>The gateway that <strong>${home.name}</strong> has is out as soon as another one joins with the code. Its history stays.</p><//>`;
}

function RemoveHome({ home, done, close }) {
  const submit = async (form) => {
    if (form.get("name").trim() !== home.name) throw new Error("That is not its name.");
    await ask("DELETE", at("/homes/", home.id));
    done();
  };
  return html`<${Sheet} title=${"Remove " + home.name} does="Remove for good" danger submit=${submit} close=${close}>
    <p>All of its readings, devices, commands and tokens go, for good. <a href=${at("/api/v1/homes/", home.id, "/export")} download>Take a copy along</a> first.</p>
    <label>Type its name to go on<input name="name" required autocomplete="off"/></label><//>`;
}

const sheets = { addTenant: AddTenant, changeTenant: ChangeTenant, removeTenant: RemoveTenant, changeHome: ChangeHome, join: Join, removeHome: RemoveHome };

/** The tenants and homes that one administers. */
export function Places({ me, known, reload }) {
  const [sheet, show] = useState(null);
  const root = administers(me, {});
  const open = (kind, more) => () => show({ kind, ...more });
  const Chosen = sheet && sheets[sheet.kind];
  const mine = known.homes.filter((h) => administers(me, { home: h.id }, known.homes));
  const names = new Map(known.tenants.map((t) => [t.id, t.name]));
  return html`${(root || known.tenants.some((t) => administers(me, { tenant: t.id }))) && html`<div class="bar"><h2>Tenants</h2>${root && html`<button type="button" class="small main" onClick=${open("addTenant")}>Add a tenant</button>`}</div>
    <ul class="card list">${known.tenants.filter((t) => administers(me, { tenant: t.id })).map((t) => html`<li class="entry-row" key=${t.id}><h3>${t.name}</h3>
      <p class="quiet">${t.homes === 1 ? "1 home" : t.homes + " homes"}${t.retention_days ? " · readings are kept for " + t.retention_days + " days" : ""}</p>
      <div class="acts"><button type="button" class="small" onClick=${open("changeTenant", { tenant: t })}>Change<span class="sr"> ${t.name}</span></button>
        ${root && t.id !== "main" && html`<button type="button" class="small danger" onClick=${open("removeTenant", { tenant: t })}>Remove<span class="sr"> ${t.name}</span></button>`}</div></li>`)}</ul>`}
    <div class="bar"><h2>Homes</h2></div>
    ${mine.length ? html`<ul class="card list">${mine.map((h) => html`<li class="entry-row" key=${h.id}><h3><a href=${at("/homes/", h.id)}>${h.name}</a></h3>
      <p class="quiet">${names.size > 1 && names.get(h.tenant) ? names.get(h.tenant) : ""}</p>
      <div class="acts"><button type="button" class="small" onClick=${open("changeHome", { home: h })}>Change<span class="sr"> ${h.name}</span></button>
        <button type="button" class="small" onClick=${open("join", { home: h })}>Another gateway<span class="sr"> for ${h.name}</span></button>
        <a class="small" href=${at("/api/v1/homes/", h.id, "/export")} download>Export<span class="sr"> ${h.name}</span></a>
        <button type="button" class="small danger" onClick=${open("removeHome", { home: h })}>Remove<span class="sr"> ${h.name}</span></button></div></li>`)}</ul>` : html`<p class="empty">There are no homes yet.</p>`}
    ${Chosen && html`<${Chosen} ...${sheet} known=${known} root=${root} done=${reload} close=${() => show(null)}/>`}`;
}
