// The way between the receiver's pages.

import { html } from "./vendor/preact.js";

const places = [["/", "Homes"], ["/alerts", "Alerts"], ["/jobs", "Jobs"], ["/explore", "Explore"], ["/people", "People"]];

/** The line at the top of every page; children stand at its end. */
export function Top({ title, children }) {
  return html`<header class="top"><div><a class="back" href="/" aria-label="All homes" title="All homes"><img src="/static/icon.svg" alt="" width="28" height="28"/></a><h1>${title}</h1>
    <nav class="places" aria-label="Pages">${places.map(([path, name]) => html`<a href=${path} aria-current=${location.pathname === path ? "page" : undefined}>${name}</a>`)}</nav>${children}</div></header>`;
}
