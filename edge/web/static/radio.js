// A Zigbee radio on the gateway's page: pairing, how far each device is, firmware, groups, bindings, the map, the backup.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { number } from "./format.js";
import { Button } from "./button.js";
import { Bindings, Groups } from "./groups.js";
import { NetworkMap } from "./map.js";

const refresh = 4e3; // while the card is open, ms

function Pairing({ radio, name, send, routers }) {
  const code = useRef(), via = useRef();
  const left = radio.pairing ? radio.pairing.left : 0;
  const permit = (seconds) => send("POST", "/permit", {
    seconds, router: via.current && via.current.value || undefined, install_code: seconds && code.current.value.trim() || undefined,
  });
  return html`<div class="pairing"><p role="status">${left > 0 ? html`<strong>Open for ${left} s.</strong> Switch on the new device, or hold its pairing button.` : "The network is closed."}</p>
    <div class="bar"><span class="buttons">
      <${Button} act=${() => permit(120)} disabled=${radio.state !== "up"}>${left > 0 ? "Open longer" : "Pair devices"}<//>
      ${left > 0 && html`<${Button} act=${() => permit(0)}>Close<//>`}</span></div>
    <details><summary>More ways to pair</summary><div class="facts">
      <label>Only through <select ref=${via} aria-label=${"Router for pairing at " + name}><option value="">any router</option>${routers.map((d) => html`<option value=${d.ieee}>${d.name}</option>`)}</select></label>
      <label>Install code <input ref=${code} autocomplete="off" placeholder="from the box or its QR code" aria-label="Install code"/></label></div></details></div>`;
}

/** What the stick holds when it is not the network that is kept, and what can be done about it. */
function Found({ found, send }) {
  const word = found.extended_pan_id;
  return html`<div class="notice bad"><p>The stick holds another network: PAN <code>${found.pan_id}</code>, extended PAN <code>${word}</code>, channel ${found.channel}. Nothing was changed on it.</p>
    <div class="bar"><span class="buttons"><${Button} act=${() => send("POST", "/network", { adopt: word })}>Use that network<//>
    <${Button} danger act=${() => confirm("Overwrite the network on the stick? Devices that belong to it have to be paired again.") && send("POST", "/network", { replace: word })}>Overwrite it<//></span></div></div>`;
}

function Firmware({ entry, send, busy }) {
  const { device, available, upgrade } = entry;
  if (upgrade && ["fetching", "offered", "waiting", "downloading", "restarting"].includes(upgrade.state)) {
    const part = upgrade.size ? Math.round(100 * upgrade.bytes / upgrade.size) : 0;
    return html`<span class="value"><progress max="100" value=${part} aria-label="Firmware update"></progress> ${upgrade.state} ${part} % <${Button} act=${() => send("DELETE", "/ota/" + device)}>Stop<//></span>`;
  }
  if (!available && !(upgrade && upgrade.error)) return null;
  return html`<span class="value">${upgrade && upgrade.error && html`<small class="failed">${upgrade.error} </small>`}
    ${available ? html`<${Button} disabled=${busy} act=${() => confirm("Update the device's firmware? It may take an hour, and the device must stay powered.") && send("POST", "/ota/" + device, {})}>Update<//>` : null}</span>`;
}

function Device({ live, d, ota, send, admin }) {
  const remove = (ban) => confirm(`Remove ${d.name} from the network${ban ? " and keep it out" : ""}?`) && send("DELETE", `/devices/${d.ieee}?force=true${ban ? "&ban=true" : ""}`);
  return html`<li class="row" data-ieee=${d.ieee}><span class="name">${d.name}<small>${[d.vendor, d.model].filter(Boolean).join(" ") || "not known yet"}</small></span>
    <span class="value">${d.interview === "done" ? html`<span class=${"state " + (d.reachable ? "good" : "bad")}>${d.reachable ? "in reach" : "out of reach"}</span>` : html`<span class="state" role="status">${d.interview}</span>`}
      <small class="quiet"> ${d.kind === "router" ? "router" : d.power}${d.link_quality !== null ? ", link " + number(d.link_quality) : ""}${d.last_seen ? ", heard " + live.age(d.last_seen) : ""}</small></span>
    ${ota && html`<${Firmware} entry=${ota} send=${send}/>`}
    ${admin && html`<details class="late"><summary>Manage<span class="sr"> ${d.name}</span></summary><span class="buttons">
      <${Button} act=${() => send("POST", `/devices/${d.ieee}/interview`)}>Ask it again<//><${Button} act=${() => send("POST", `/devices/${d.ieee}/configure`)}>Set up again<//>
      <${Button} danger act=${() => remove(false)}>Remove<//><${Button} danger act=${() => remove(true)}>Remove and ban<//></span></details>`}</li>`;
}

/** Hands a file to the browser. */
function keep(file, content) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: file });
  link.click();
  URL.revokeObjectURL(url);
}

/** One radio. name is the driver's. */
export function Radio({ live, name, admin }) {
  const base = "/drivers/" + encodeURIComponent(name);
  const ask = (method, path, body) => live.send(method, base + path, body);
  const [radio, set] = useState(null);
  const [ota, setOTA] = useState([]);
  const [error, fail] = useState("");
  const [shown, show] = useState(false);
  const read = async () => {
    try {
      const state = await ask("GET", "/");
      set(state);
      if (state.state === "up") setOTA(await ask("GET", "/ota"));
      fail("");
    } catch (err) { fail(err.message); }
  };
  const send = (method, path, body) => ask(method, path, body).then((answer) => { read(); return answer; });
  useEffect(() => {
    if (!shown) return undefined;
    read();
    const timer = setInterval(read, refresh);
    return () => clearInterval(timer);
  }, [shown, name]);
  const named = (d) => ({ ...d, name: (live.devices.get(d.id) || d).name }); // as a person has called it
  const devices = radio ? radio.devices.map(named).sort((a, b) => a.name.localeCompare(b.name)) : [];
  const sum = radio && `${number(devices.length)} devices, channel ${radio.network ? radio.network.channel : "–"}`;
  return html`<details class="card machine radio" onToggle=${(e) => show(e.target.open)}><summary><h2>Zigbee${name === "radio" ? "" : " " + name}</h2><span class="quiet">${sum || ""}</span></summary>
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${radio && html`${radio.error && html`<p class="notice bad" role="alert"><strong>The radio is ${radio.state}:</strong> ${radio.error}</p>`}
      ${radio.state === "starting" && !radio.error && html`<p class="quiet" role="status">Looking for the stick…</p>`}
      ${radio.definitions_error && html`<div class="notice"><p>Something in your device definitions cannot be used. All else goes on.</p><pre>${radio.definitions_error}</pre></div>`}
      ${radio.found && admin && html`<${Found} found=${radio.found} send=${send}/>`}
      ${admin && html`<${Pairing} radio=${radio} name=${name} send=${send} routers=${devices.filter((d) => d.kind === "router")}/>`}
      <h3>Devices</h3><ul>${devices.map((d) => html`<${Device} key=${d.ieee} live=${live} d=${d} ota=${admin && ota.find((o) => o.device === d.ieee)} send=${send} admin=${admin}/>`)}
        ${!devices.length && html`<li class="row quiet">none yet: open the network and switch one on</li>`}</ul>
      <${Groups} live=${live} ask=${ask} devices=${devices} admin=${admin}/>
      <${Bindings} ask=${ask} live=${live} devices=${devices} admin=${admin}/>
      <${NetworkMap} ask=${ask} admin=${admin} age=${(t) => live.age(t)}/>
      <div class="facts"><div><h3>Stick</h3><ul>
        <li class="row"><span class="name">Firmware</span><span class="value">${radio.firmware || "–"}</span></li>
        <li class="row"><span class="name">Network</span><span class="value">${radio.network ? html`<code>${radio.network.pan_id}</code> on channel ${radio.network.channel}` : "–"}</span></li>
        ${radio.network && radio.network.former_coordinator && html`<li class="row"><span class="name">Address</span><span class="value">its own, not <code>${radio.network.former_coordinator}</code> as before: devices are set up anew</span></li>`}
        <li class="row"><span class="name">Restarts</span><span class="value">${number(radio.counters.resets)}</span></li>
        <li class="row"><span class="name">Messages</span><span class="value">${number(radio.counters.sent)} sent, ${number(radio.counters.retried)} again, ${number(radio.counters.failed)} in vain</span></li></ul></div>
      <div><h3>Backup</h3><ul><li class="row"><span class="name">Made</span><span class="value">${radio.backup && radio.backup.made ? live.age(radio.backup.made) : "not yet"}</span></li>
        ${admin && html`<li class="row"><${Button} act=${async () => keep(name + "-network-backup.json", await ask("POST", "/backup"))}>Download<//><small class="quiet">It holds the network's key: keep it safe.</small></li>`}</ul></div></div>`}</details>`;
}
