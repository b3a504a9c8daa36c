// Emmett on PostgreSQL as ./dev bench peers measures it: appends one event to a new stream at a time.
//
// node emmett.mjs URL FILE_OF_STATE CONNECTIONS, with the packages in NODE_PATH's folder. Reads lines of
// JSON, {"writers", "seconds"}, and answers each with {"rate", "latencies_ms"}.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [url, file, topic] = process.argv.slice(2);
const packages = createRequire(process.env.PEER_PACKAGES + "/");
const { getPostgreSQLEventStore } = packages("@event-driven-io/emmett-postgresql");
const { STREAM_DOES_NOT_EXIST } = packages("@event-driven-io/emmett");

const data = JSON.parse(readFileSync(file, "utf-8"));
const store = getPostgreSQLEventStore(url);
await store.schema.migrate();

async function writer(end, latencies) {
  for (let before = performance.now(); before < end; before = performance.now()) {
    const stream = `permit-${randomBytes(6).toString("hex")}`;
    await store.appendToStream(stream, [{ type: topic, data }], {
      expectedStreamVersion: STREAM_DOES_NOT_EXIST,
    });
    latencies.push(performance.now() - before);
  }
}

async function round({ writers, seconds }) {
  const latencies = [];
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(Array.from({ length: writers }, () => writer(end, latencies)));
  return {
    rate: (latencies.length / (performance.now() - started)) * 1000,
    latencies_ms: latencies,
  };
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await round(JSON.parse(line))));
}
await store.close();
