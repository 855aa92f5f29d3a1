// A HomeKit controller that a Go test leads: it reads one command per line, {"n":1,"who":"a","do":"pair","with":[...]},
// and writes {"n":1,"ok":...} or {"n":1,"error":"..."}; events come as {"event":...,"who":"a"}.
const {HttpClient} = require('hap-controller');
const clients = {};
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// What hap-controller cannot do is sent over its own verified connection.
const raw = async (c, method, path, body) => {
	const connection = await c.getDefaultVerifiedConnection();
	const response = await connection[method](path, body && Buffer.from(body));
	return {status: response.statusCode, body: response.body ? response.body.toString() : ''};
};

const verbs = {
	open: (_, who, id, host, port, data) => {
		const c = clients[who] = new HttpClient(id, host, port, data || undefined, {usePersistentConnections: true});
		c.on('event', (event) => say({event, who}));
		c.on('event-disconnect', () => say({gone: who}));
	},
	identify: (c) => c.identify(),
	pair: async (c, _, pin) => {
		await c.pairSetup(pin, 0);
		return c.getLongTermData();
	},
	accessories: (c) => c.getAccessories(),
	get: (c, _, ids, options) => c.getCharacteristics(ids, options),
	set: (c, _, values) => c.setCharacteristics(values),
	subscribe: (c, _, ids) => c.subscribeCharacteristics(ids),
	list: (c) => c.listPairings().then((t) => t && t.size),
	add: (c, _, id, key, admin) => c.addPairing(Buffer.from(id), Buffer.from(key, 'hex'), admin),
	remove: (c, _, id) => c.removePairing(Buffer.from(id)),
	raw,
	close: (c) => c.close(),
};
verbs.raw = (c, _, ...rest) => raw(c, ...rest);

require('readline').createInterface({input: process.stdin}).on('line', async (line) => {
	const {n, who, do: verb, with: args} = JSON.parse(line);
	try {
		const ok = await Promise.race([
			verbs[verb](clients[who], who, ...(args || [])),
			new Promise((_, no) => setTimeout(() => no(new Error('no answer in 15 s')), 15000).unref()),
		]);
		say({n, ok: ok === undefined ? null : ok});
	} catch (error) {
		say({n, error: String(error && error.message || error)});
	}
}).on('close', () => process.exit(0));
process.on('uncaughtException', (error) => say({crash: String(error)}));
