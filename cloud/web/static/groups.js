// Groups of devices.

import { html, useRef, useState } from "./vendor/preact.js";
import { Narrow, meantWords, narrowed } from "./selection.js";
import { Sheet, ask, at } from "./sheet.js";

let fresh = 0;

function MemberForm({ n, member, homes, remove, alone }) {
  return html`<fieldset><legend>Devices</legend>
    <label>Home<select name=${n + "-home"}><option value="">all homes of the tenant</option>${homes.map((h) => html`<option value=${h.id} selected=${h.id === member.home}>${h.name}</option>`)}</select></label>
    <${Narrow} prefix=${n + "-"} chosen=${member}/>
    ${!alone && html`<button type="button" class="tiny" onClick=${remove}>leave these out</button>`}</fieldset>`;
}

// What the form has no fields for stays as it is.
function kept(member) {
  const { homes, property } = member;
  return { ...(homes ? { homes } : {}), ...(property ? { property } : {}) };
}

/** A group as a form. */
export function GroupSheet({ tenant, group, homes, done, close }) {
  const begun = useRef((group && group.members.length ? group.members : [{}]).map((member) => ({ n: ++fresh, member })));
  const [list, change] = useState(begun.current);
  const submit = async (form) => {
    const members = list.map(({ n, member }) => {
      const home = form.get(n + "-home");
      return { ...kept(member), ...(home ? { home } : {}), ...narrowed(form, n + "-") };
    });
    const body = { name: form.get("name"), members };
    if (group) await ask("PUT", at("/tenants/", tenant, "/groups/", group.id), body);
    else await ask("POST", at("/tenants/", tenant, "/groups"), body);
    done();
  };
  return html`<${Sheet} title=${group ? "Change a group" : "New group"} does="Save" submit=${submit} close=${close}>
    <label>Name<input name="name" required maxlength="100" autocomplete="off" defaultValue=${group ? group.name : ""}/></label>
    ${list.map(({ n, member }) => html`<${MemberForm} key=${n} n=${n} member=${member} homes=${homes} alone=${list.length === 1} remove=${() => change(list.filter((m) => m.n !== n))}/>`)}
    <button type="button" class="small" onClick=${() => change([...list, { n: ++fresh, member: {} }])}>And others</button><//>`;
}

function Remove({ tenant, group, done, close }) {
  const submit = async () => { await ask("DELETE", at("/tenants/", tenant, "/groups/", group.id)); done(); };
  return html`<${Sheet} title=${"Delete " + group.name} does="Delete" danger submit=${submit} close=${close}><p>Its devices stay. A job of it whose time has not come yet finds nobody.</p><//>`;
}

/** The groups of a tenant. */
export function Groups({ tenant, groups, homes, names, may, done }) {
  const [sheet, show] = useState(null);
  const close = () => show(null);
  return html`<div class="bar"><h2>Groups</h2>${may && html`<button type="button" class="small" onClick=${() => show({ kind: "put" })}>New group</button>`}</div>
    ${groups.length ? html`<ul class="card list" id="groups">${groups.map((g) => html`<li class="entry-row" key=${g.id}><h3>${g.name}</h3>
        <ul class="quiet">${g.members.slice(0, 5).map((m) => html`<li>${meantWords(m, names)}</li>`)}${g.members.length > 5 && html`<li>and ${g.members.length - 5} more</li>`}${!g.members.length && html`<li>nobody yet</li>`}</ul>
        ${may && html`<div class="acts"><button type="button" class="small" onClick=${() => show({ kind: "put", group: g })}>Change<span class="sr"> ${g.name}</span></button>
          <button type="button" class="small danger" onClick=${() => show({ kind: "remove", group: g })}>Delete<span class="sr"> ${g.name}</span></button></div>`}</li>`)}</ul>`
      : html`<p class="quiet">A group names devices that are often meant together, in one home or in many.</p>`}
    ${sheet && sheet.kind === "put" && html`<${GroupSheet} tenant=${tenant} group=${sheet.group} homes=${homes} done=${done} close=${close}/>`}
    ${sheet && sheet.kind === "remove" && html`<${Remove} tenant=${tenant} group=${sheet.group} done=${done} close=${close}/>`}`;
}
