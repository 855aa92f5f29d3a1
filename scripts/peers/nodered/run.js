// Runs Node-RED with a small flow, as a person would draw it:
//
//   node run.js HOST PORT USER PASSWORD FOLDER
//
// Whatever device reports on: false is switched on with a command; every final record of a command is told on
// nodered/record, and every value of power on nodered/power. FOLDER is Node-RED's own. It ends with its standard input.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { spawn } = require("node:child_process");

const [host, port, user, password, folder] = process.argv.slice(2);
const broker = { id: "broker", type: "mqtt-broker", name: "Hearth", broker: host, port, clientid: "nodered", autoConnect: true, usetls: false, protocolVersion: "4", keepalive: "60", cleansession: true };
const hears = (id, topic, wires) => ({ id, z: "flow", type: "mqtt in", topic, qos: "1", datatype: "json", broker: "broker", nl: false, rap: true, rh: 0, inputs: 0, wires: [wires] });
const does = (id, func, wires) => ({ id, z: "flow", type: "function", func, outputs: 1, timeout: 0, initialize: "", finalize: "", libs: [], wires: [wires] });
const says = (id, topic) => ({ id, z: "flow", type: "mqtt out", topic, qos: "1", retain: "false", broker: "broker", wires: [] });
const flows = [
  { id: "flow", type: "tab", label: "Hearth" },
  broker,
  hears("states", "hearth/device/+/state", ["switch", "power"]),
  does("switch", "if (msg.payload.on !== false) return null;\nreturn { topic: msg.topic.replace(/state$/, 'set'), payload: { on: true } };", ["set"]),
  does("power", "if (typeof msg.payload.power !== 'number') return null;\nreturn { payload: { device: msg.topic.split('/')[2], power: msg.payload.power } };", ["told"]),
  says("set", ""),
  says("told", "nodered/power"),
  hears("records", "hearth/device/+/command", ["final"]),
  does("final", "return msg.payload.final ? { payload: msg.payload } : null;", ["record"]),
  says("record", "nodered/record"),
];
fs.writeFileSync(path.join(folder, "flows.json"), JSON.stringify(flows));
fs.writeFileSync(path.join(folder, "flows_cred.json"), JSON.stringify({ broker: { user, password } }));
fs.writeFileSync(path.join(folder, "settings.js"), `module.exports = { flowFile: "flows.json", credentialSecret: false, httpAdminRoot: false, httpNodeRoot: false, uiHost: "127.0.0.1", uiPort: 0, telemetry: { enabled: false }, logging: { console: { level: "info" } } };`);
const red = spawn(process.execPath, [path.join(__dirname, "node_modules/node-red/red.js"), "-u", folder, "-s", path.join(folder, "settings.js")], { stdio: ["ignore", "inherit", "inherit"] });
process.stdin.resume();
process.stdin.on("end", () => red.kill());
red.on("exit", (code) => process.exit(code ?? 0));
