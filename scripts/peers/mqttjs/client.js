// node client.js URL USER PASSWORD 4|5 FILTER…: prints what it hears and what became of what it publishes, as JSON lines;
// publishes the lines of its input, {"topic","payload"}, with QoS 1. It ends with its input.
const mqtt = require("mqtt");
const readline = require("readline");

const [url, username, password, version, ...filters] = process.argv.slice(2);
const client = mqtt.connect(url, { username, password, protocolVersion: Number(version), reconnectPeriod: 0 });
const say = (line) => console.log(JSON.stringify(line));

client.on("error", (err) => say({ error: err.message }));
client.on("message", (topic, payload, packet) => say({ topic, payload: payload.toString(), retained: packet.retain }));
client.on("connect", () => client.subscribe(filters, { qos: 1 }, (err, granted) => {
  say({ ready: true, granted: (granted || []).map((g) => g.qos) });
  const input = readline.createInterface({ input: process.stdin });
  input.on("line", (line) => {
    const { topic, payload } = JSON.parse(line);
    client.publish(topic, payload, { qos: 1 }, (err, packet) => say({ published: topic, reason: err ? err.code : packet?.reasonCode ?? 0 }));
  });
  input.on("close", () => client.end(false, () => process.exit(0)));
}));
