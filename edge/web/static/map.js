// The map of a Zigbee network: the coordinator in the middle, routers around it, what sleeps around its parent.

import { html, useEffect, useState } from "./vendor/preact.js";

const size = 640, middle = size / 2;

/** Where each node is drawn: routers on a ring, end devices on a ring outside, near the node that hears them best. */
function places(nodes, links) {
  const at = new Map();
  const strength = (a, b) => Math.max(0, ...links.filter((l) => (l.from === a && l.to === b) || (l.from === b && l.to === a)).map((l) => l.lqi));
  const ring = (list, radius, angleOf) => list.forEach((n, i) => {
    const angle = angleOf(n, i, list.length);
    at.set(n.ieee, { x: middle + radius * Math.cos(angle), y: middle + radius * Math.sin(angle), angle });
  });
  ring(nodes.filter((n) => n.kind === "coordinator"), 0, () => 0);
  ring(nodes.filter((n) => n.kind === "router"), size * 0.24, (_, i, n) => 2 * Math.PI * i / n - Math.PI / 2);
  const leaves = new Map();
  for (const n of nodes.filter((n) => n.kind === "end_device")) {
    const parent = n.parent || [...at.keys()].sort((a, b) => strength(n.ieee, b) - strength(n.ieee, a))[0];
    leaves.set(parent, [...(leaves.get(parent) || []), n]);
  }
  for (const [parent, list] of leaves) {
    const from = at.get(parent);
    const centred = !from || (from.x === middle && from.y === middle);
    const spread = centred ? 2 * Math.PI : Math.min(Math.PI / 3, 0.18 * list.length);
    ring(list, size * 0.42, (_, i, n) => (centred ? 0.3 : from.angle - spread / 2) + spread * (i + 0.5) / n);
  }
  return at;
}

function Drawing({ map }) {
  const at = places(map.nodes, map.links);
  const names = new Map(map.nodes.map((n) => [n.ieee, n.name]));
  const drawn = map.links.filter((l) => at.has(l.from) && at.has(l.to));
  return html`<svg class="mesh" viewBox=${`0 0 ${size} ${size}`} role="img" aria-label=${`Map of the network: ${map.nodes.length} devices, ${drawn.length} links`}>
    ${drawn.map((l) => { const a = at.get(l.from), b = at.get(l.to); return html`<line x1=${a.x} y1=${a.y} x2=${b.x} y2=${b.y} class=${l.routes && l.routes.length ? "route" : ""} style=${`stroke-opacity:${0.15 + 0.85 * l.lqi / 255}`}><title>${names.get(l.from)} – ${names.get(l.to)}: ${l.lqi}</title></line>`; })}
    ${map.nodes.filter((n) => at.has(n.ieee)).map((n) => { const p = at.get(n.ieee); return html`<g class=${n.kind}><circle cx=${p.x} cy=${p.y} r=${n.kind === "coordinator" ? 14 : n.kind === "router" ? 9 : 6}/><text x=${p.x} y=${p.y + (n.kind === "coordinator" ? 30 : 22)} text-anchor="middle">${n.name.length > 18 ? n.name.slice(0, 17) + "…" : n.name}</text></g>`; })}</svg>`;
}

/** The last scan and a button for another. ask(method, path) speaks with the driver. */
export function NetworkMap({ ask, admin, age }) {
  const [map, set] = useState(null);
  const [error, fail] = useState("");
  const read = () => ask("GET", "/map").then((m) => { set(m); fail(""); }, (err) => fail(err.message));
  const scan = () => ask("POST", "/map").then(read, (err) => fail(err.message));
  useEffect(() => { read(); }, []);
  useEffect(() => {
    if (!map || !map.running) return undefined;
    const timer = setTimeout(read, 2000);
    return () => clearTimeout(timer);
  }, [map]);
  return html`<details class="map"><summary>Map${map && map.made ? html` <span class="quiet">from ${age(map.made)}</span>` : null}</summary>
    ${admin && html`<div class="bar"><span class="buttons"><button type="button" class="small" disabled=${map && map.running} onClick=${scan}>${map && map.running ? "Asking the routers…" : "Draw it anew"}</button></span></div>`}
    ${error && html`<p class="failed" role="alert">${error}</p>`}
    ${map && map.nodes && map.nodes.length ? html`<${Drawing} map=${map}/>` : html`<p class="quiet">Not drawn yet.</p>`}</details>`;
}
