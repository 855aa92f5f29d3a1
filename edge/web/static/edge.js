// The gateway's page.

import { html, render, useEffect, useState } from "./vendor/preact.js";
import { Live } from "./live.js";
import { Devices } from "./devices.js";
import { Chart } from "./chart.js";
import { Machine, targetNames } from "./gateway.js";
import { Radio } from "./radio.js";
import { HomeKit } from "./homekit.js";

const { home, version, control, admin, homekit } = document.body.dataset;
const may = { control: control !== undefined, admin: admin !== undefined };
const live = new Live("/api/v1");

function Notices({ status }) {
  const notices = [];
  if (live.ended) notices.push(html`<p class="notice bad" role="alert">The session has ended. Open the page through its link again.</p>`);
  else if (live.connected === false) notices.push(html`<p class="notice" role="status">No connection to the gateway. What you see may be old; it comes back by itself.</p>`);
  if (status) {
    if (!status.clock.trusted && status.targets.length) notices.push(html`<p class="notice">The gateway's clock is not set yet. Values and controls work; readings wait with their upload until their time is known.</p>`);
    for (const d of status.drivers) {
      if (d.state !== "running" && d.error) notices.push(html`<p class="notice bad"><strong>${d.name}</strong> (${d.type}) is ${d.state}: ${d.error}</p>`);
    }
    for (const t of status.targets) {
      if (t.state === "refused") notices.push(html`<p class="notice bad"><strong>${targetNames[t.name] || t.name}</strong> refuses: ${t.error}</p>`);
    }
    for (const alarm of status.alarms || []) if (!alarm.startsWith("driver ")) notices.push(html`<p class="notice bad">${alarm}</p>`); // drivers: above
    if (status.buffer.damaged) notices.push(html`<p class="notice bad">The disk gave back something else than was written. Damaged parts of the buffer were set aside; the readings lost are shown as gaps.</p>`);
  }
  return notices.length ? html`<div class="notices">${notices}</div>` : null;
}

function App() {
  const [, redraw] = useState(0);
  const [minute, pass] = useState(0);
  const [charted, chart] = useState(null);
  useEffect(() => {
    const end = live.listen(() => redraw((n) => n + 1));
    const timer = setInterval(() => pass((n) => n + 1), 20e3); // ages
    live.start();
    return () => { end(); clearInterval(timer); };
  }, []);
  const open = (device, p) => chart({ device: device.id, property: p.name });
  const device = charted && live.devices.get(charted.device);
  const p = device && device.properties.find((p) => p.name === charted.property);
  const link = live.connected === null ? ["", "connecting"] : live.connected ? ["up", "live"] : ["down", "no connection"];
  return html`<header class="top"><div><img src="/static/icon.svg" alt="" width="28" height="28"/><h1>${home || "Hearth"}</h1><span class=${"link " + link[0]} role="status">${link[1]}</span></div></header>
    <main><${Notices} status=${live.status}/>
      <${Devices} live=${live} control=${may.control} admin=${may.admin} open=${open} minute=${minute}/>
      ${may.control && live.status && live.status.drivers.filter((d) => d.type === "zigbee").map((d) => html`<${Radio} key=${d.name} live=${live} name=${d.name} admin=${may.admin}/>`)}
      ${homekit !== undefined && html`<${HomeKit} live=${live} admin=${may.admin}/>`}
      <${Machine} live=${live} status=${live.status} version=${version}/></main>
    ${p && html`<${Chart} live=${live} device=${device} p=${p} close=${() => chart(null)}/>`}`;
}

sessionStorage.removeItem("hearth-again");
render(html`<${App}/>`, document.getElementById("app"));
