// A Modbus slave made with modbus-serial: unit 1 is a relay board, unit 2 a meter with the registers of an SDM120.
//
//   node slave.js tcp          listens on a free port of 127.0.0.1, which it prints
//   node slave.js rtu PATH     speaks RTU on a tty, and prints "ready"
//
// It ends with its standard input.
"use strict";
const { ServerTCP, ServerSerial } = require("modbus-serial");

const coils = new Map([[0, false]]);
const holding = new Map([0, 1, 2, 3, 4, 5].map((address) => [address, 0]));
const meter = new Map();
for (const [address, value] of [[0, 230.5], [6, 1.5], [12, -345.75], [18, 345.75], [24, 0], [30, 1], [70, 50], [72, 1000.25], [74, 234.25], [342, 1234.5]]) {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatBE(value);
  meter.set(address, bytes.readUInt16BE(0));
  meter.set(address + 1, bytes.readUInt16BE(2));
}

// take returns what a table holds there; what is not there is exception 2.
function take(table, address) {
  if (!table.has(address)) {
    throw { modbusErrorCode: 2 };
  }
  return table.get(address);
}

function put(table, address, value) {
  take(table, address);
  table.set(address, value);
}

const registers = {
  getInputRegister: (address, unit) => take(unit === 2 ? meter : new Map(), address),
  getHoldingRegister: (address, unit) => take(unit === 1 ? holding : new Map(), address),
  getCoil: (address, unit) => take(unit === 1 ? coils : new Map(), address),
  getDiscreteInput: (address, unit) => take(unit === 1 ? new Map([[3, true]]) : new Map(), address),
  setRegister: (address, value) => put(holding, address, value),
  setCoil: (address, value) => put(coils, address, value),
};

const [mode, path] = process.argv.slice(2);
const server = mode === "rtu"
  ? new ServerSerial(registers, { path, baudRate: 115200 })
  : new ServerTCP(registers, { host: "127.0.0.1", port: 0 });
server.on("initialized", () => console.log(mode === "rtu" ? "ready" : server._server.address().port));
server.on("error", (error) => { console.error(error); process.exit(1); });
process.stdin.on("end", () => process.exit(0)).resume();
