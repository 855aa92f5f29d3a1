// The state of a home, kept up to date by server-sent events: the same at the gateway and at the receiver.

import { age } from "./format.js";

const forgetAfter = 12e3; // how long the outcome of a command stays in sight, ms

export class Live {
  /**
   * base is /api/v1 at a gateway, /api/v1/homes/<home> at a receiver. There the status is relayed: it may be old, so now
   * is what the receiver says.
   */
  constructor(base, { relayed = false } = {}) {
    this.base = base;
    this.relayed = relayed;
    this.devices = new Map();  // id → device; replaced, never changed, so that === tells whether it is the same
    this.commands = new Map(); // id → record, of those under way or just finished
    this.status = null;
    this.connected = null;     // null: not yet
    this.ended = false;        // the session is over
    this.offset = 0;           // the server's clock less this one's, ms
    this.unnamed = new Set();  // devices that a snapshot has not named yet
    this.listeners = new Set();
    this.readers = new Set();
    this.followers = new Set();
    // A page that was put to sleep (a phone in a pocket) finds its connection dead without being told.
    addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
  }

  /** fn is called after something changed, at most once per frame. Returns what ends that. */
  listen(fn) { this.listeners.add(fn); return () => this.listeners.delete(fn); }

  /** fn is called with every reading. Returns what ends that. */
  onReading(fn) { this.readers.add(fn); return () => this.readers.delete(fn); }

  /** fn is called with every command that moved on, and with null when some may have been missed. Returns what ends that. */
  onCommand(fn) { this.followers.add(fn); return () => this.followers.delete(fn); }

  /** The server's time, ms. */
  now() { return Date.now() + this.offset; }

  /** How long ago an RFC 3339 time was. */
  age(time) { return age(this.now() - Date.parse(time)); }

  start() {
    // An EventSource comes back by itself with the last id; it gives up only where the server refused it.
    const source = this.source = new EventSource(this.base + "/events?snapshot=1");
    source.onopen = () => { this.connected = true; this.changed(); };
    source.onerror = () => {
      this.connected = false;
      this.changed();
      if (source.readyState === EventSource.CLOSED) this.again();
    };
    const on = (kind, fn) => source.addEventListener(kind, (e) => { fn(JSON.parse(e.data)); this.changed(); });
    on("snapshot", () => { this.snapshot(); this.follow(null); });
    on("device", (d) => this.device(d));
    on("reading", (r) => this.reading(r));
    on("command", (c) => { this.command(c); this.follow(c); });
    on("status", (s) => {
      this.status = s;
      if (!this.relayed && s.clock && s.clock.now) this.offset = Date.parse(s.clock.now) - Date.now();
    });
  }

  async again() {
    const reply = await fetch(this.base + "/devices").catch(() => null);
    this.ended = reply !== null && reply.status === 401;
    this.changed();
    if (!this.ended) setTimeout(() => this.start(), 3000 + Math.random() * 4000);
  }

  /** What follows is everything: what it does not name a moment later is gone. Nothing flickers meanwhile. */
  snapshot() {
    this.commands = new Map();
    this.unnamed = new Set(this.devices.keys());
    setTimeout(() => {
      for (const id of this.unnamed) this.devices.delete(id);
      this.unnamed.clear();
      this.changed();
    }, 2000);
  }

  device(d) {
    const devices = this.devices;
    this.unnamed.delete(d.id);
    if (d.forgotten) devices.delete(d.id);
    else devices.set(d.id, d);
  }

  reading(r) {
    const d = this.devices.get(r.device);
    if (d) {
      const properties = d.properties.map((p) => p.name !== r.property || p.time && r.time && p.time > r.time ? p
        : p.momentary ? { ...p, last: r.value, lastTime: r.time } : { ...p, value: r.value, time: r.time, stale: false });
      this.devices.set(d.id, { ...d, properties, last_seen: r.time || d.last_seen });
    }
    for (const fn of this.readers) fn(r);
  }

  command(c) {
    const known = this.commands.get(c.id);
    if (known && known.final) return;
    this.commands.set(c.id, c);
    const d = this.devices.get(c.device);
    if (d) this.devices.set(c.device, { ...d }); // its controls look different now
    if (c.final) setTimeout(() => this.forget(c), forgetAfter);
  }

  follow(c) { for (const fn of this.followers) fn(c); }

  forget(c) {
    this.commands.delete(c.id);
    const d = this.devices.get(c.device);
    if (d) this.devices.set(c.device, { ...d });
    this.changed();
  }

  changed() {
    if (this.due) return;
    this.due = true;
    // Frames stop in a hidden tab, timers do not.
    const run = () => { this.due = false; for (const fn of this.listeners) fn(); };
    if (document.hidden) setTimeout(run, 200); else requestAnimationFrame(run);
  }

  /** The newest command that set this property, under way or just finished. */
  commandOf(device, property) {
    let newest = null;
    for (const c of this.commands.values()) {
      if (c.device === device && property in c.set && (!newest || c.issued >= newest.issued)) newest = c;
    }
    return newest;
  }

  /** Gives a command; what becomes of it shows in the controls. */
  async set(device, values) {
    const local = { id: "local-" + Math.random(), device, set: values, issued: new Date(this.now()).toISOString(), state: "accepted", final: false };
    this.command(local);
    this.changed();
    try {
      const record = await this.send("POST", "/commands", { device, set: values });
      this.commands.delete(local.id);
      this.command(record);
    } catch (err) {
      this.command({ ...local, state: "failed", final: true, error: { code: "failed", message: err.message } });
    }
    this.changed();
  }

  get(path) { return this.send("GET", path); }

  /** Asks the API; an error's message is the problem's detail. */
  async send(method, path, body) {
    let reply;
    try {
      reply = await fetch(this.base + path, {
        method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Error("no connection");
    }
    const served = Number(reply.headers.get("Hearth-Time"));
    if (this.relayed && served) this.offset = served - Date.now();
    const text = await reply.text();
    let data = null;
    try { data = text ? JSON.parse(text) : null; } catch { data = null; }
    if (!reply.ok) throw new Error((data && (data.detail || data.title)) || "HTTP " + reply.status);
    return data;
  }
}
