// Groups of a Zigbee network with their scenes, and bindings: devices that command others with no gateway between them.

import { html, useEffect, useState } from "./vendor/preact.js";
import { number } from "./format.js";
import { Button } from "./button.js";

const refresh = 4e3; // while a list is on show, ms
const wake = "If it runs on a battery: press a button of it now, so that it listens.";

/** What a GET answers, asked anew while it is on show. */
function useList(ask, path) {
  const [list, set] = useState(null);
  const [error, fail] = useState("");
  const [shown, show] = useState(false);
  const read = () => ask("GET", path).then((l) => { set(l); fail(""); }, (err) => fail(err.message));
  useEffect(() => {
    if (!shown) return undefined;
    read();
    const timer = setInterval(read, refresh);
    return () => clearInterval(timer);
  }, [shown]);
  return { list, error, read, toggle: (e) => e.target === e.currentTarget && show(e.currentTarget.open) };
}

/** The endpoints of devices, each with a name for people. */
const places = (devices, which) => devices.flatMap((d) => d[which].map((at) => ({ at, name: d[which].length > 1 ? `${d.name}, part ${at.split("/")[1]}` : d.name })));

const named = (list, at, otherwise) => (list.find((p) => p.at === at) || { name: otherwise }).name;

/** A group's name and members, to be filled in. save gets both. */
function GroupForm({ group, choice, save, children, button }) {
  const [name, rename] = useState(group ? group.name : "");
  const [members, choose] = useState(group ? group.members.filter((m) => m.state !== "leaving").map((m) => m.member) : []);
  const turn = (at, is) => choose(is ? [...members, at] : members.filter((m) => m !== at));
  return html`<div class="form"><label>Name <input value=${name} maxlength="40" autocomplete="off" placeholder="Living room" onInput=${(e) => rename(e.target.value)}/></label>
    <fieldset><legend>Members</legend>${choice.map((p) => html`<label key=${p.at}><input type="checkbox" checked=${members.includes(p.at)} onChange=${(e) => turn(p.at, e.target.checked)}/> ${p.name}</label>`)}
      ${!choice.length && html`<span class="quiet">No device of this network can be in a group.</span>`}</fieldset>
    <span class="buttons"><${Button} disabled=${!name.trim() || !members.length} act=${() => save({ name: name.trim(), members })} wait="Telling the members…">${button}<//>${children}</span></div>`;
}

function Scenes({ group, send }) {
  const [name, rename] = useState("");
  const path = `/groups/${group.number}/scenes`;
  return html`<div class="form"><label>New scene <input value=${name} maxlength="40" autocomplete="off" placeholder="Evening" aria-label=${"New scene of " + group.name} onInput=${(e) => rename(e.target.value)}/></label>
    <span class="buttons"><${Button} disabled=${!name.trim()} act=${() => send("POST", path, { name: name.trim() }).then(() => rename(""))} wait="Telling the members…">Keep what is on now<//>
    ${group.scenes.map((s) => html`<${Button} key=${s.id} danger act=${() => send("DELETE", `${path}/${s.id}`)}>Forget ${s.name || "scene " + s.id}<//>`)}</span></div>`;
}

const troubles = { joining: "has to wake to learn of it", full: "has no room for one more group: it is commanded by itself", refused: "refuses: it is commanded by itself", leaving: "has to wake to leave" };

function Group({ live, group, choice, send, admin }) {
  const recall = (id) => live.send("POST", "/commands?wait=5s", { device: group.id, set: { scene: id } })
    .then((record) => { if (record.error) throw new Error(record.error.message); });
  const path = `/groups/${group.number}`;
  const there = group.members.filter((m) => m.state !== "leaving");
  return html`<li class="row" data-group=${group.number}><span class="name">${group.name}<small>${there.map((m) => named(choice, m.member, m.name)).join(", ") || "nobody is in it"}</small></span>
    <span class="buttons">${group.scenes.map((s) => html`<${Button} key=${s.id} label=${`Recall ${s.name || "scene " + s.id} in ${group.name}`} act=${() => recall(s.id)}>${s.name || "Scene " + s.id}<//>`)}</span>
    ${group.members.filter((m) => troubles[m.state]).map((m) => html`<small class="quiet wide" role="status">${named(choice, m.member, m.name)} ${troubles[m.state]}${m.problem ? ` (${m.problem})` : ""}</small>`)}
    ${admin && html`<details class="wide"><summary>Manage<span class="sr"> the group ${group.name}</span></summary>
      <${GroupForm} group=${group} choice=${choice} save=${(body) => send("PATCH", path, body)} button="Save">
        <${Button} danger act=${async () => confirm(`Remove the group ${group.name} and its scenes?`) && send("DELETE", path)}>Remove<//><//>
      <${Scenes} group=${group} send=${send}/></details>`}</li>`;
}

/** Groups: several devices as one, told by one message. */
export function Groups({ live, ask, devices, admin }) {
  const { list, error, read, toggle } = useList(ask, "/groups");
  const [made, count] = useState(0);
  const choice = places(devices, "takes");
  const send = (method, path, body) => ask(method, path, body).then(read);
  return html`<details class="groups" onToggle=${toggle}><summary>Groups and scenes${list ? html` <span class="quiet">${number(list.length)}</span>` : null}</summary>
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    <p class="quiet"><small>Devices in a group do as one: all lamps of a room, at the same moment. A scene is what they all are when you keep it.</small></p>
    <ul>${(list || []).map((g) => html`<${Group} key=${g.number} live=${live} group=${{ ...g, name: (live.devices.get(g.id) || g).name }} choice=${choice} send=${send} admin=${admin}/>`)}</ul>
    ${admin && html`<details class="new" key=${made}><summary>New group</summary><${GroupForm} choice=${choice} save=${(body) => send("POST", "/groups", body).then(() => count(made + 1))} button="Make it"/></details>`}</details>`;
}

const does = { on_off: "on and off", level_control: "brightness", color_control: "colour", window_covering: "opening", scenes: "scenes" };

/** Bindings: a remote control that switches a lamp, whether the gateway runs or not. */
export function Bindings({ live, ask, devices, admin }) {
  const { list, error, read, toggle } = useList(ask, "/bindings");
  const [groups, know] = useState([]);
  const [source, from] = useState("");
  const [target, to] = useState("");
  useEffect(() => { if (list) ask("GET", "/groups").then(know, () => know([])); }, [list]);
  const sources = places(devices, "commands");
  const targets = [...groups.map((g) => ({ at: "group:" + g.number, name: (live.devices.get(g.id) || g).name + " (group)" })), ...places(devices, "takes")].filter((p) => p.at !== source);
  const send = (method, body) => ask(method, "/bindings", body).then(read);
  const line = (b) => html`<li class="row" key=${b.source + b.target} data-binding=${b.source}><span class="name"><span>${named(sources, b.source, b.source_name)} → ${named(targets, b.target, b.target_name)}</span><small>${b.clusters.map((c) => does[c] || c).join(", ")}</small></span>
    ${admin && html`<span class="buttons"><${Button} wait=${wake} label=${`Disconnect ${b.source_name} from ${b.target_name}`} act=${() => send("DELETE", { source: b.source, target: b.target, clusters: [] })}>Disconnect<//></span>`}</li>`;
  const select = (label, value, set, list, none) => html`<label>${label} <select value=${value} onChange=${(e) => set(e.target.value)}><option value="">${list.length ? "choose…" : none}</option>${list.map((p) => html`<option key=${p.at} value=${p.at}>${p.name}</option>`)}</select></label>`;
  return html`<details class="bindings" onToggle=${toggle}><summary>Direct connections${list ? html` <span class="quiet">${number(list.length)}</span>` : null}</summary>
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    <p class="quiet"><small>A remote control can switch lamps by itself, even while the gateway is off.</small></p>
    <ul>${(list || []).map(line)}</ul>
    ${admin && html`<div class="form">${select("This", source, from, sources, "no remote control is here")}${select("switches", target, to, targets, "nothing is here to be switched")}
      <span class="buttons"><${Button} disabled=${!source || !target} wait=${wake} act=${() => send("POST", { source, target, clusters: [] }).then(() => to(""))}>Connect<//>
      <${Button} disabled=${!source} wait=${wake} act=${() => ask("GET", "/bindings?device=" + source.split("/")[0]).then(read)}>Ask it what it has<//></span></div>`}</details>`;
}
