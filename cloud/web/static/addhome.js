// Adding a home: its name, then the command that joins its gateway.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { clock } from "./format.js";
import { Live } from "./live.js";

const loopback = /^(localhost|127\.|\[::1\])/.test(location.host);

/** What to type on the gateway; a token travels without TLS to this machine itself only, unless told to. */
export function claimCommand(code) {
  const insecure = location.protocol === "http:" && !loopback ? " -insecure" : "";
  return `hearth-edge claim -config /etc/hearth/edge.yaml${insecure} ${location.origin} ${code}`;
}

function Command({ text }) {
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
  return html`<pre class="command"><code ref=${box}>${text}</code></pre>
    <p><button type="button" class="small" onClick=${copy}>${copied ? "Copied" : navigator.clipboard ? "Copy" : "Select"}</button></p>`;
}

function Joining({ added, home, ask }) {
  useEffect(() => {
    const timer = setInterval(ask, 2000);
    return () => clearInterval(timer);
  }, []);
  const there = home && home.last_seen;
  return html`<p>Type this on the gateway of <strong>${added.name}</strong>:</p>
    <${Command} text=${claimCommand(added.claim_code)}/>
    ${loopback && html`<p class="quiet">This address works on this machine only. From another one, put the receiver's own address in its place.</p>`}
    ${location.protocol === "http:" && !loopback && html`<p class="notice">This receiver is reached without TLS, so the gateway's token travels where others may read it. Better put a TLS proxy in front of it and leave -insecure out.</p>`}
    <dl><dt>Code</dt><dd><code class="code">${added.claim_code}</code></dd><dt>Works</dt><dd>once, until ${clock(Date.parse(added.expires))}</dd></dl>
    <p class="quiet">The code is shown this once.</p>
    <p role="status">${there ? html`<span class="state good">The gateway has joined.</span> <a href=${"/homes/" + encodeURIComponent(added.id)}>Open ${added.name}</a>` : html`<span class="state">Waiting for the gateway…</span>`}</p>`;
}

/** The dialog. homes is the list as it is now, ask asks for it again, close is called when the dialog is closed. */
export function AddHome({ homes, ask, close }) {
  const dialog = useRef(), field = useRef();
  const [added, got] = useState(null);
  const [error, fail] = useState("");
  const [busy, work] = useState(false);
  useEffect(() => { dialog.current.showModal(); field.current.focus(); }, []);
  const submit = async (e) => {
    e.preventDefault();
    work(true);
    try {
      got(await new Live("/api/v1").send("POST", "/homes", { name: field.current.value }));
      fail("");
      ask();
    } catch (err) {
      fail(err.message);
    }
    work(false);
  };
  return html`<dialog class="chart add" ref=${dialog} onClose=${close} aria-labelledby="add-title"><div class="inside">
    <header><h2 id="add-title">Add a home</h2><button type="button" class="plain-button" aria-label="Close" onClick=${() => dialog.current.close()}>✕</button></header>
    ${added ? html`<${Joining} added=${added} home=${homes.find((h) => h.id === added.id)} ask=${ask}/>`
      : html`<form class="ask" onSubmit=${submit}><label for="home-name">Its name</label><input id="home-name" ref=${field} required maxlength="100" autocomplete="off"/>
        <button type="submit" class="small main" disabled=${busy}>Add</button></form>`}
    ${error && html`<p class="failed" role="alert">${error}</p>`}</div></dialog>`;
}
