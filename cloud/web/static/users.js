// People and their roles.

import { html, useState } from "./vendor/preact.js";
import { age, clock } from "./format.js";
import { Place, Secret, Sheet, administers, ask, at, placeOf, placeWords, useList } from "./sheet.js";

const roles = { admin: "Administrator", operator: "Operator", viewer: "Viewer" };

const roleHelp = { admin: "looks, controls, and looks after people and homes", operator: "looks and controls devices", viewer: "only looks" };

function RoleField({ value }) {
  return html`<label>Role<select name="role">${Object.entries(roles).map(([role, words]) => html`<option value=${role} selected=${role === value}>${words}: ${roleHelp[role]}</option>`)}</select></label>`;
}

function Link({ made }) {
  return html`<p>${made.mailed ? "A mail is on its way. The same link, if it does not arrive:" : "Give them this link. It lets them choose a password:"}</p>
    <${Secret} text=${made.link} name="link"/>
    <p class="quiet">It works once, until ${clock(Date.parse(made.expires))}, and is shown this once.</p>`;
}

function Invite({ me, known, done, close }) {
  const submit = async (form) => {
    const made = await ask("POST", "/users", { email: form.get("email"), name: form.get("name"), role: form.get("role"), ...placeOf(form.get("place")) });
    done();
    return made.link ? html`<${Link} made=${made}/>` : html`<p role="status"><strong>${made.user.email}</strong> has an account already and signs in as always.</p>`;
  };
  return html`<${Sheet} title="Add a person" does="Add" submit=${submit} close=${close}>
    <label>E-mail address<input name="email" type="email" required maxlength="254" autocomplete="off" autocapitalize="none"/></label>
    <label>Name, if you like<input name="name" maxlength="100" autocomplete="off"/></label>
    <${RoleField} value="viewer"/><${Place} me=${me} known=${known} everywhere="Everything on this receiver"/><//>`;
}

function Role({ user, right, me, known, done, close }) {
  const submit = async (form) => {
    const place = right ? { home: right.home, tenant: right.tenant } : placeOf(form.get("place"));
    await ask("PUT", at("/users/", user.id, "/grants"), { role: form.get("role"), ...place });
    done();
  };
  return html`<${Sheet} title=${right ? "Change a role" : "Another role for " + (user.name || user.email)} does="Save" submit=${submit} close=${close}>
    ${right && html`<p>${user.name || user.email} in ${placeWords(known, right) || "everything on this receiver"}</p>`}
    <${RoleField} value=${right ? right.role : "viewer"}/>${!right && html`<${Place} me=${me} known=${known} everywhere="Everything on this receiver"/>`}<//>`;
}

function Change({ user, done, close }) {
  const submit = async (form) => {
    await ask("PATCH", at("/users/", user.id), { email: form.get("email"), name: form.get("name"), disabled: form.has("disabled") });
    done();
  };
  return html`<${Sheet} title="Change a person" does="Save" submit=${submit} close=${close}>
    <label>E-mail address<input name="email" type="email" required maxlength="254" value=${user.email} autocomplete="off"/></label>
    <label>Name<input name="name" maxlength="100" value=${user.name} autocomplete="off"/></label>
    <label class="tick"><input type="checkbox" name="disabled" checked=${user.disabled}/>Cannot sign in</label><//>`;
}

function NewLink({ user, close }) {
  const submit = async () => html`<${Link} made=${await ask("POST", at("/users/", user.id, "/link"))}/>`;
  return html`<${Sheet} title=${user.invited ? "Invite again" : "A new password"} does="Make a link" submit=${submit} close=${close}>
    <p>${user.invited ? "The link that they had does not work any more then." : "A link with which " + (user.name || user.email) + " chooses another password. Using it ends all of their sessions."}</p><//>`;
}

function Remove({ user, done, close }) {
  const submit = async () => { await ask("DELETE", at("/users/", user.id)); done(); };
  return html`<${Sheet} title="Remove a person" does="Remove" danger submit=${submit} close=${close}>
    <p><strong>${user.email}</strong> cannot sign in any more, and their tokens stop working. What they did stays in the history.</p><//>`;
}

function Person({ user, me, known, open, done }) {
  const [error, fail] = useState("");
  const take = async (right) => {
    fail("");
    try {
      await ask("DELETE", at("/users/", user.id, "/grants?tenant=", right.tenant ?? "", "&home=", right.home ?? ""));
      done();
    } catch (err) {
      fail(err.message);
    }
  };
  const state = user.disabled ? "cannot sign in" : user.invited ? "invited, has not been here yet" : user.seen ? "here " + age(Date.now() - Date.parse(user.seen)) : "has not been here yet";
  return html`<li class="entry-row"><div><h3>${user.name || user.email}${user.id === me.user && html` <span class="quiet">(you)</span>`}</h3>
      ${user.name && html`<p class="quiet">${user.email}</p>`}<p class="quiet">${state}</p></div>
    <div><ul class="roles">${user.grants.map((right) => html`<li><span class=${"chip " + right.role}>${roles[right.role]}</span> <span>${placeWords(known, right) || "everything"}</span>
        ${administers(me, right, known.homes) && html`<button type="button" class="tiny" onClick=${() => open("role", user, right)}>change<span class="sr"> the role of ${user.email}</span></button>
          <button type="button" class="tiny" onClick=${() => take(right)}>take away<span class="sr"> the role of ${user.email}</span></button>`}</li>`)}</ul>
      ${error && html`<p class="failed" role="alert">${error}</p>`}</div>
    <div class="acts"><button type="button" class="small" onClick=${() => open("role", user)}>Another role</button>
      ${user.managed && html`<button type="button" class="small" onClick=${() => open("change", user)}>Change</button>
        ${!user.disabled && html`<button type="button" class="small" onClick=${() => open("link", user)}>${user.invited ? "Invite again" : "New password"}</button>`}
        <button type="button" class="small danger" onClick=${() => open("remove", user)}>Remove</button>`}</div></li>`;
}

const sheets = { invite: Invite, role: Role, change: Change, link: NewLink, remove: Remove };

/** The people whom one sees, and what one may do with them. */
export function Users({ me, known }) {
  const list = useList("/users");
  const [wanted, find] = useState("");
  const [sheet, show] = useState(null);
  const open = (kind, user, right) => show({ kind, user, right });
  const needle = wanted.trim().toLowerCase();
  const shown = (list.data || []).filter((u) => !needle || `${u.name} ${u.email} ${u.grants.map((g) => roles[g.role] + " " + placeWords(known, g)).join(" ")}`.toLowerCase().includes(needle));
  const Chosen = sheet && sheets[sheet.kind];
  return html`<div class="bar"><p class="find"><input type="search" placeholder="Find somebody" aria-label="Find somebody" value=${wanted} onInput=${(e) => find(e.target.value)}/></p>
      <button type="button" class="small main" onClick=${() => open("invite")}>Add a person</button></div>
    ${list.error && html`<p class="notice bad" role="alert">${list.error}</p>`}
    ${list.data && (shown.length ? html`<ul class="card list">${shown.map((u) => html`<${Person} key=${u.id} user=${u} me=${me} known=${known} open=${open} done=${list.load}/>`)}</ul>`
      : html`<p class="empty">${needle ? "Nobody is called like that." : "There is nobody yet. People whom you add sign in with their e-mail address."}</p>`)}
    ${Chosen && html`<${Chosen} ...${sheet} me=${me} known=${known} done=${list.load} close=${() => show(null)}/>`}`;
}
