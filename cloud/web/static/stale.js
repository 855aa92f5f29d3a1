// What a page says when what it shows is no longer of now.

import { html } from "./vendor/preact.js";
import { clock } from "./format.js";

/** ended: the session is over; lost: the receiver does not answer, since (ms) being of when the page is, 0 for unknown. */
export function Stale({ ended, lost, since }) {
  if (ended) {
    const next = "/login?next=" + encodeURIComponent(location.pathname + location.search);
    return html`<p class="notice bad" role="alert">The session has ended. <a href=${next}>Sign in again</a>, or open the page through its link.</p>`;
  }
  if (!lost) return null;
  return html`<p class="notice bad" role="alert"><strong>Connection lost.</strong> What you see ${since ? "is from " + clock(since) + " and" : ""} may be old; it comes back by itself.</p>`;
}
