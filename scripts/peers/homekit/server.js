// The peer of the benchmark: hap-nodejs with a bridge and lamps that have on, brightness and a temperature.
// node server.js <folder> <port> <lamps>
const {Accessory, Bridge, Categories, Characteristic, HAPStorage, Service, uuid} = require('@homebridge/hap-nodejs');
const [folder, port, lamps] = process.argv.slice(2);
HAPStorage.setCustomStoragePath(folder);
const bridge = new Bridge('Peer', uuid.generate('peer'));
for (let n = 0; n < Number(lamps); n++) {
	const lamp = new Accessory(`Lamp ${n}`, uuid.generate(`lamp ${n}`));
	const bulb = lamp.addService(Service.Lightbulb, `Lamp ${n}`);
	bulb.getCharacteristic(Characteristic.On).on('set', (_, done) => done());
	bulb.getCharacteristic(Characteristic.Brightness).on('set', (_, done) => done());
	bulb.addCharacteristic(Characteristic.CurrentTemperature);
	bridge.addBridgedAccessory(lamp);
}
bridge.publish({username: 'CC:22:3D:E3:CE:30', pincode: '031-45-154', port: Number(port), category: Categories.BRIDGE, bind: 'lo'})
	.catch((error) => { console.error(error); process.exit(1); });
process.stdin.resume().on('end', () => process.exit(0)); // with whoever started it
