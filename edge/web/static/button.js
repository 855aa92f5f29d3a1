// A button that does something which takes time and can fail, and says so beside itself.

import { html, useState } from "./vendor/preact.js";

/** act returns a promise. wait is said while it is under way. */
export function Button({ act, danger, disabled, wait, label, children }) {
  const [state, set] = useState("");
  const click = async () => {
    set("busy");
    try { await act(); set(""); } catch (err) { set(err.message); }
  };
  return html`<button type="button" class=${"small" + (danger ? " danger" : "")} disabled=${disabled || state === "busy"} aria-label=${label} onClick=${click}>${children}</button>
    ${state === "busy" && wait && html`<small class="quiet" role="status">${wait}</small>`}
    ${state && state !== "busy" && html`<small class="failed" role="alert">${state}</small>`}`;
}
