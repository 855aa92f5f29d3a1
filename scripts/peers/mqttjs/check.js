// node check.js < document: checks an AsyncAPI 3.0 document against the schema that its authors publish.
const specs = require("@asyncapi/specs");
const Ajv = require("ajv");
const formats = require("ajv-formats");

const document = JSON.parse(require("fs").readFileSync(0, "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true });
formats(ajv);
const draft = Object.keys(specs.schemasWithoutId["3.0.0"].definitions).find((name) => name.includes("json-schema.org/draft-07"));
if (draft && !ajv.getSchema("http://json-schema.org/draft-07/schema")) ajv.addMetaSchema(require("ajv/dist/refs/json-schema-draft-07.json"), "http://json-schema.org/draft-07/schema");
const valid = ajv.validate(specs.schemasWithoutId["3.0.0"], document);
if (!valid) console.log(ajv.errorsText(ajv.errors, { separator: "\n" }).slice(0, 4000));
process.exit(valid ? 0 : 1);
