// What is wrong with a home, in words.

import { clock } from "./format.js";

const kinds = {
  gateway_dark: "gateway away", clock_untrusted: "clock not set", driver_down: "driver down", device_silent: "device silent", gap: "readings lost",
  outage: "outage", battery_low: "battery low", backlog: "readings pile up", disk_wear: "disk wears out", ledger: "ledger does not add up",
  gateway_alarm: "gateway complains", threshold: "value", receiver: "receiver",
};

/** The kinds of alerts there are. */
export const allKinds = Object.keys(kinds);

/** The kind of an alert. */
export function kindWords(kind) { return kinds[kind] || kind.replaceAll("_", " "); }

/** What an alert says, with its times on this clock. */
export function detailWords(alert) {
  return alert.detail.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (time) => clock(Date.parse(time)));
}
