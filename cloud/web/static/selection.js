// Choosing devices, and saying in words which are chosen.

import { html } from "./vendor/preact.js";
import { label, value } from "./format.js";

export const types = ["light", "switch", "outlet", "sensor", "meter", "cover", "lock", "thermostat", "fan", "valve", "button", "siren", "coordinator", "other"];

const plural = { switch: "switches", other: "other devices", light: "lights" };

function many(type) { return plural[type] || type + "s"; }

/** Which devices a selection means, in words. names has homes' names by id. */
export function meantWords(s, names, groups = []) {
  if (s.group) return "group " + (groups.find((g) => g.id === s.group)?.name ?? s.group);
  const homes = [...(s.home ? [s.home] : []), ...(s.homes || [])];
  const what = s.device ? s.device : s.type ? "all " + many(s.type) : "all devices";
  return [
    what, s.room && "in " + s.room, s.property && "that have " + label(s.property).toLowerCase(),
    homes.length === 0 ? "of all homes" : homes.length > 3 ? "of " + homes.length + " homes" : "of " + homes.map((h) => names.get(h) ?? h).join(", "),
  ].filter(Boolean).join(" ");
}

/** What is set, in words. */
export function setWords(set) {
  return Object.entries(set).map(([name, v]) => label(name) + " → " + value({ name }, v)).join(", ");
}

/** What somebody typed, as a bool, a number or a text. */
export function typed(text) {
  const word = text.trim().toLowerCase();
  if (["true", "on", "yes"].includes(word)) return true;
  if (["false", "off", "no"].includes(word)) return false;
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) : text.trim();
}

/** Fields that narrow devices down; their names begin with prefix. */
export function Narrow({ prefix = "", chosen = {} }) {
  return html`<div class="pair"><label>Type<select name=${prefix + "type"}><option value="">any</option>${types.map((t) => html`<option value=${t} selected=${t === chosen.type}>${t}</option>`)}</select></label>
      <label>Room<input name=${prefix + "room"} maxlength="200" autocomplete="off" defaultValue=${chosen.room || ""} placeholder="any"/></label></div>
    <label>One device, by its id<input name=${prefix + "device"} maxlength="128" autocomplete="off" autocapitalize="none" spellcheck="false" defaultValue=${chosen.device || ""} placeholder="any"/></label>`;
}

/** What such fields say. */
export function narrowed(form, prefix = "") {
  const s = {};
  for (const name of ["type", "room", "device"]) {
    const text = (form.get(prefix + name) || "").trim();
    if (text) s[name] = text;
  }
  return s;
}
