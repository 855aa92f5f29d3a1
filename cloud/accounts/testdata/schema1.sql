-- What a hearth-cloud of schema 1 wrote: two homes, one of them claimed, its commands, inventory and tokens.
CREATE TABLE homes (
			id           TEXT PRIMARY KEY,
			name         TEXT NOT NULL UNIQUE,
			created      BIGINT NOT NULL,
			last_command BIGINT NOT NULL DEFAULT 0);
INSERT INTO homes VALUES('hced7t7ysa','Cabin',1795416891847,3);
INSERT INTO homes VALUES('hgxchc3cu2','Beach house',1795416891883,0);
CREATE TABLE claims (
			hash    TEXT PRIMARY KEY,
			home    TEXT NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
			expires BIGINT NOT NULL,
			used    BIGINT NOT NULL DEFAULT 0);
INSERT INTO claims VALUES('f11fae591bc42e305c93a8f28702bb965d5b3a8e79bad7d0437206cc8c0d7943','hced7t7ysa',1795503291847,1795416891929);
INSERT INTO claims VALUES('87f840864112efef669c16baee2c1dcb80c92dced90bdcffb4ef8335c294705c','hgxchc3cu2',1795503291883,0);
CREATE TABLE commands (
			home    TEXT NOT NULL REFERENCES homes(id) ON DELETE CASCADE,
			id      TEXT NOT NULL,
			n       BIGINT NOT NULL,
			device  TEXT NOT NULL,
			state   TEXT NOT NULL,
			due     BIGINT NOT NULL,
			changed BIGINT NOT NULL,
			steps   BIGINT NOT NULL,
			record  TEXT NOT NULL,
			PRIMARY KEY (home, id));
INSERT INTO commands VALUES('hced7t7ysa','waiting',1,'radio:1','superseded',0,1795416892288,2,'{"id":"waiting","device":"radio:1","set":{"on":true},"by":"owner","issued":"2026-11-23T06:54:52.252Z","deadline":"2026-12-20T00:00:00.000Z","state":"superseded","final":true,"history":[{"state":"accepted","time":"2026-11-23T06:54:52.252Z"},{"state":"superseded","time":"2026-11-23T06:54:52.288Z"}]}');
INSERT INTO commands VALUES('hced7t7ysa','second',2,'radio:1','sent',1797728400000,1795416892270,2,'{"id":"second","device":"radio:1","set":{"brightness":40},"by":"owner","issued":"2026-11-23T06:54:52.261Z","deadline":"2026-12-20T00:00:00.000Z","state":"sent","final":false,"history":[{"state":"accepted","time":"2026-11-23T06:54:52.261Z"},{"state":"sent","time":"2026-11-23T06:54:52.270Z"}]}');
INSERT INTO commands VALUES('hced7t7ysa','newer',3,'radio:1','accepted',1797724800000,1795416892288,1,'{"id":"newer","device":"radio:1","set":{"on":false},"by":"owner","issued":"2026-11-23T06:54:52.288Z","deadline":"2026-12-20T00:00:00.000Z","state":"accepted","final":false,"history":[{"state":"accepted","time":"2026-11-23T06:54:52.288Z"}]}');
CREATE TABLE inventories (
			home    TEXT PRIMARY KEY REFERENCES homes(id) ON DELETE CASCADE,
			changed BIGINT NOT NULL,
			devices TEXT NOT NULL);
INSERT INTO inventories VALUES('hced7t7ysa',1795416892242,'[{"id":"radio:1","name":"Lamp","room":"Hall","type":"light","driver":"radio","driver_type":"zigbee","vendor":"","model":"","reachable":true,"last_seen":null,"properties":[{"name":"on","kind":"bool","unit":"","unit_code":"","writable":true,"momentary":false,"write_only":false,"min":null,"max":null,"options":null,"value":null,"time":null,"target":null,"stale":false},{"name":"brightness","kind":"number","unit":"%","unit_code":"","writable":true,"momentary":false,"write_only":false,"min":0,"max":100,"options":null,"value":null,"time":null,"target":null,"stale":false}]}]');
CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version VALUES(1);
CREATE TABLE sightings (
			home     TEXT PRIMARY KEY REFERENCES homes(id) ON DELETE CASCADE,
			changed  BIGINT NOT NULL,
			sighting TEXT NOT NULL);
CREATE TABLE tokens (
			hash    TEXT PRIMARY KEY,
			name    TEXT NOT NULL UNIQUE,
			scope   TEXT NOT NULL,
			home    TEXT REFERENCES homes(id) ON DELETE CASCADE,
			created BIGINT NOT NULL,
			used    BIGINT NOT NULL DEFAULT 0);
INSERT INTO tokens VALUES('12a3e1c660ddf75a6a5e1dfc8a9e9fbea3483049aae9c75c3655864e0a9b4895','first-link','admin',NULL,1795416865718,0);
INSERT INTO tokens VALUES('e2bea2d1cc97e115f5bd915023eba9eecb8f30ad647c5098041e7ccebced120d','owner','admin',NULL,1795416891782,1795416892251);
INSERT INTO tokens VALUES('98c8640fa32b19b2ea13fc5a6065340d698bb47df79158fc54833d56f1fbc30b','wall tablet','read',NULL,1795416891810,0);
INSERT INTO tokens VALUES('918793b7a09918151777d45e9e4f2ae68569152542b92923d11040d06a01b0e9','gateway-hced7t7ysa','gateway','hced7t7ysa',1795416891929,1795416892241);
INSERT INTO tokens VALUES('ff916645ed1146963dc41fdc7b2737b0e358ae1a36312e7f22d8a87927ff0cd7','telegraf','write','hced7t7ysa',1795416892232,0);
CREATE UNIQUE INDEX commands_n ON commands (home, n);
CREATE INDEX commands_open ON commands (due) WHERE due > 0;
CREATE INDEX commands_changed ON commands (changed);
