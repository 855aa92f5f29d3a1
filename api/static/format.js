// How values, names and ages are written for a person.

const names = {
  on: "On", open: "Opening", co2: "CO₂", pm25: "PM2.5", pm10: "PM10", voc: "VOC", voc_mass: "VOC", rssi: "Signal strength", rss: "Memory",
  hvac_mode: "Mode", hvac_action: "Doing", color_hue: "Hue", color_saturation: "Saturation", color_temperature: "Warmth",
  target_temperature: "Target", link_quality: "Link quality", energy_exported: "Energy exported",
};

/** The name of a property: link_quality is "Link quality", power_l1 "Power L1". */
export function label(name) {
  if (names[name]) return names[name];
  const cut = name.lastIndexOf("_");
  if (cut > 0 && names[name.slice(0, cut)] && name.length - cut <= 3) return names[name.slice(0, cut)] + " " + name.slice(cut + 1).toUpperCase();
  const words = name.replace(/_([lt]?\d+)$/, (_, n) => " " + n.toUpperCase()).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const answers = {
  on: ["on", "off"], open: ["open", "closed"], occupancy: ["motion", "no motion"], presence: ["present", "away"],
  water_leak: ["leak!", "dry"], smoke: ["smoke!", "no smoke"], carbon_monoxide_alarm: ["alarm!", "no alarm"],
  gas_alarm: ["alarm!", "no alarm"], tamper: ["tampered!", "no"], vibration: ["vibrating", "still"],
  battery_low: ["low", "fine"], reachable: ["yes", "no"], child_lock: ["locked", "off"], sound_alarm: ["sound!", "quiet"],
};

/** Whether a value is one that nobody should miss. */
export function alarming(p) {
  const [yes] = answers[p.name.replace(/_[a-z0-9]+$/, "")] || answers[p.name] || [""];
  return p.value === true && (yes.endsWith("!") || p.name === "battery_low");
}

/** A number with as many digits as it deserves. */
export function number(v) {
  const size = Math.abs(v);
  const digits = Number.isInteger(v) ? 0 : size >= 10000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return v.toLocaleString(undefined, { maximumFractionDigits: digits });
}

/** A value of property p with its unit. */
export function value(p, v = p.value) {
  if (v === null || v === undefined) return "–";
  if (typeof v === "boolean") {
    const [yes, no] = answers[p.name] || answers[p.name.replace(/_[a-z0-9]+$/, "")] || ["yes", "no"];
    return v ? yes : no;
  }
  if (typeof v === "number") return p.unit ? number(v) + (p.unit === "°" ? "" : "\u202f") + p.unit : number(v);
  return v.replaceAll("_", " ");
}

/** How long ago something was, in a few letters. */
export function age(ms) {
  if (ms < 10e3) return "just now";
  if (ms < 90e3) return Math.round(ms / 1e3) + " s ago";
  if (ms < 90 * 60e3) return Math.round(ms / 60e3) + " min ago";
  if (ms < 36 * 3600e3) return Math.round(ms / 3600e3) + " h ago";
  return Math.round(ms / 86400e3) + " days ago";
}

/** A moment, on a clock of 24 hours. */
export function clock(t) {
  return new Date(t).toLocaleString(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** Bytes as a person reads them. */
export function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000) return number(n < 10 ? Math.round(n * 10) / 10 : Math.round(n)) + "\u202f" + unit;
    n /= 1000;
  }
  return number(n) + "\u202fTB";
}

const reasons = {
  cap: "the buffer was full", rejected: "the target refused them", damaged: "the disk was damaged",
  clock: "the clock was not set", lost: "they were lost on the receiver",
};

/** Why readings are missing. */
export function reason(word) { return reasons[word] || word; }
