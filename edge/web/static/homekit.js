// The Apple bridge on the gateway's page: how to add it to Apple's Home, who is paired, what it leaves out.

import { html, useEffect, useState } from "./vendor/preact.js";
import { number } from "./format.js";
import { Button } from "./button.js";

const refresh = 4e3; // while the card is open, ms

/** The code to scan and the code to type. again draws the image anew after a reset. */
function Code({ n, name, pin, again }) {
  return html`<figure class="setup"><img src=${`/api/v1/homekit/bridges/${n}/qr.svg?${again}`} width="180" height="180" alt=${"QR code that adds " + name + " to Apple's Home"}/>
    <figcaption><span class="quiet">Open Home on the iPhone, add an accessory, and scan this; or type</span> <strong class="code">${pin}</strong></figcaption></figure>`;
}

function Bridge({ n, b, pin, shown, again, send, admin }) {
  const remove = (p) => confirm("Unpair this controller? Its phones lose the home's devices until they are paired again.") && send("DELETE", `/bridges/${n}/pairings/${encodeURIComponent(p.id)}`);
  return html`<section class="bridge"><h3>${b.name}</h3>
    <p class="quiet">${number(b.accessories)} devices, ${b.address ? html`on <code>${b.address}</code>${b.announced ? "" : ", for this machine alone: it is not announced"}` : "not listening"}${b.connections ? ", " + number(b.connections) + " connected" : ""}</p>
    ${pin && (!b.paired || shown) && html`<${Code} n=${n} name=${b.name} pin=${pin} again=${again}/>`}
    ${b.paired ? html`<ul>${b.pairings.map((p) => html`<li class="row"><span class="name"><code>${p.id.slice(0, 8)}</code><small>${p.admin ? "administrator" : "user"}</small></span>
        ${admin && html`<${Button} danger act=${() => remove(p)}>Unpair<//>`}</li>`)}</ul>` : html`<p role="status">Not paired yet.${admin ? "" : " Somebody with an admin token sees the code here."}</p>`}</section>`;
}

/** All bridges; nothing, where HomeKit is not switched on. */
export function HomeKit({ live, admin }) {
  const [state, set] = useState(null);
  const [setup, setSetup] = useState(null);
  const [error, fail] = useState("");
  const [open, show] = useState(false);
  const [shown, reveal] = useState(false);
  const [again, draw] = useState(0);
  const read = async () => {
    try {
      set(await live.send("GET", "/homekit"));
      if (admin) setSetup(await live.send("GET", "/homekit/setup"));
      fail("");
    } catch (err) { fail(err.message); }
  };
  const send = (method, path) => live.send(method, "/homekit" + path).then((answer) => { draw(Date.now()); return read().then(() => answer); });
  useEffect(() => { read(); }, []);
  useEffect(() => {
    if (!open) return undefined;
    read();
    const timer = setInterval(read, refresh);
    return () => clearInterval(timer);
  }, [open]);
  if (!state) return error ? html`<p class="notice bad" role="alert"><strong>HomeKit</strong>: ${error}</p>` : null;
  const paired = state.bridges.every((b) => b.paired);
  const devices = state.bridges.reduce((sum, b) => sum + b.accessories, 0);
  const reset = () => confirm("Remove all pairings and make the bridges anew? Rooms, scenes and automations that Apple's Home has for these devices are lost.") && send("POST", "/reset");
  return html`<details class="card machine homekit" onToggle=${(e) => show(e.target.open)}><summary><h2>HomeKit</h2><span class="quiet">${number(devices)} devices, ${paired ? "paired" : "not paired yet"}</span></summary>
    ${(error || state.error) && html`<p class="failed" role="alert">${error || state.error}</p>`}
    <div class="bridges">${state.bridges.map((b, i) => html`<${Bridge} key=${i} n=${i + 1} b=${b} pin=${setup && setup.pin} shown=${shown} again=${again} send=${send} admin=${admin}/>`)}</div>
    ${state.left_out.length > 0 && html`<details><summary>${state.left_out.length === 1 ? "One device is" : number(state.left_out.length) + " devices are"} not in HomeKit</summary><ul>${state.left_out.map((d) => html`<li class="row"><span class="name">${d.name}</span><span class="value quiet">${d.why}</span></li>`)}</ul></details>`}
    ${admin && html`<div class="bar"><span class="buttons">${state.bridges.some((b) => b.paired) && html`<${Button} act=${async () => reveal(!shown)}>${shown ? "Hide the code" : "Show the code"}<//>`}
      <${Button} danger act=${async () => reset()}>Reset<//></span></div>`}</details>`;
}
