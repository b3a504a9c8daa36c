// Says what is wrong with asyncapi.yaml, as JSON: `node asyncapi.mjs FOLDER_OF_NODE_MODULES FILE`.
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [, , modules, file] = process.argv;
const require = createRequire(resolve(modules, "package.json"));
const { Parser, fromFile } = require("@asyncapi/parser");

const { document, diagnostics } = await fromFile(new Parser(), file).parse();
const found = diagnostics.map(({ code, severity, message, path }) => ({
  code,
  severity,
  message,
  path: path.join("."),
}));
const channels = document
  ? document.channels().all().map((channel) => ({
      address: channel.address(),
      messages: channel.messages().all().map((message) => message.name()),
      payloads: channel.messages().all().map((message) => message.payload()?.json().title),
    }))
  : null;
process.stdout.write(JSON.stringify({ found, channels }));
