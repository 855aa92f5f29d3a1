// A Zigbee host made with zigbee-herdsman: it drives the stick that it is given.
//
//   node host.js ADAPTER PORT FOLDER [NETWORK]
//
// ADAPTER is zstack, ember, or ezsp (firmware before EmberZNet 7.4, by an older herdsman), PORT a tty or tcp://host:port, FOLDER keeps its database and backup. NETWORK is JSON with
// what shall differ from the usual network: panID, extendedPanID, channelList, networkKey.
// Each line of the standard input is a request in JSON, {"id": 1, "do": "start"}, with the arguments of the method below;
// each line of the standard output is an answer, {"id": 1, "result": …} or {"id": 1, "error": …}, or an event,
// {"event": "message", …}. It ends with its standard input.
"use strict";
const path = require("node:path");
const readline = require("node:readline");

const [adapter, port, folder, network = "{}"] = process.argv.slice(2);
const { Controller, setLogger } = require(adapter === "ezsp" ? "herdsman-3" : "zigbee-herdsman");
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const log = (level) => (message) => console.error(level, typeof message === "function" ? message() : message);
setLogger({ debug: process.env.DEBUG ? log("debug") : () => {}, info: log("info"), warning: log("warning"), error: log("error") });

const controller = new Controller({
  network: {
    panID: 0x1a62,
    extendedPanID: [0xdd, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77],
    channelList: [15],
    networkKey: [1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 13],
    ...JSON.parse(network),
  },
  serialPort: { path: port, adapter, baudRate: 115200, rtscts: false },
  databasePath: path.join(folder, "database.db"),
  databaseBackupPath: path.join(folder, "database.bak"),
  backupPath: path.join(folder, "backup.json"),
  adapter: {},
  acceptJoiningDeviceHandler: async () => true,
});

const device = (ieee) => {
  const found = controller.getDeviceByIeeeAddr(ieee);
  if (!found) throw new Error(`no device ${ieee}`);
  return found;
};
const endpoint = ({ ieee, endpoint: id }) => device(ieee).getEndpoint(id);
const describe = (d) => ({
  ieee: d.ieeeAddr, nwk: d.networkAddress, type: d.type, vendor: d.manufacturerName, model: d.modelID, interview: d.interviewState,
  endpoints: d.endpoints.map((e) => ({ id: e.ID, profile: e.profileID, device: e.deviceID, in: e.inputClusters, out: e.outputClusters })),
});

const methods = {
  start: () => controller.start(),
  stop: () => controller.stop(),
  permit: ({ seconds }) => controller.permitJoin(seconds),
  network: () => controller.getNetworkParameters(),
  version: () => controller.getCoordinatorVersion(),
  devices: () => [...controller.getDevicesIterator()].map(describe),
  backup: () => controller.backup(),
  read: (r) => endpoint(r).read(r.cluster, r.attributes, r.options),
  write: (r) => endpoint(r).write(r.cluster, r.attributes, r.options),
  command: (r) => endpoint(r).command(r.cluster, r.command, r.payload ?? {}, r.options),
  report: (r) => endpoint(r).configureReporting(r.cluster, r.items),
  bind: (r) => endpoint(r).bind(r.cluster, [...controller.getDevicesIterator()].find((d) => d.type === "Coordinator").getEndpoint(1)),
  group: async (r) => endpoint(r).addToGroup(controller.getGroupByID(r.group) ?? controller.createGroup(r.group)),
  groupCommand: (r) => controller.getGroupByID(r.group).command(r.cluster, r.command, r.payload ?? {}),
  ping: ({ ieee }) => device(ieee).ping(),
  neighbours: ({ ieee }) => device(ieee).lqi(),
  leave: ({ ieee }) => device(ieee).removeFromNetwork(),
  installCode: ({ code }) => controller.addInstallCode(code),
};

for (const name of ["deviceJoined", "deviceInterview", "deviceAnnounce", "deviceLeave", "deviceNetworkAddressChanged", "permitJoinChanged", "adapterDisconnected"]) {
  controller.on(name, (data = {}) => say({ event: name, status: data.status, ieee: data.ieeeAddr, ...(data.device && describe(data.device)) }));
}
controller.on("message", (m) => {
  say({ event: "message", type: m.type, ieee: m.device?.ieeeAddr, endpoint: m.endpoint?.ID, group: m.groupID, cluster: m.cluster, data: m.data });
});

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const request = JSON.parse(line);
  try {
    say({ id: request.id, result: (await methods[request.do](request)) ?? null });
  } catch (error) {
    say({ id: request.id, error: String(error) });
  }
});
lines.on("close", () => process.exit(0));
