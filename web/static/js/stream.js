// Server-sent events by fetch, since EventSource can't send a token. Comes back by itself.
import { Problem } from "./api.js";
import { learnTime } from "./clock.js";
import { byId, say } from "./dom.js";
import { text } from "./texts.js";

const SILENCE_MS_MAX = 40_000;
const PAUSE_MS = [250, 500, 1000, 2000, 4000, 8000];
const REFUSALS = [401, 403, 404];
const BUFFER_CHARACTERS_MAX = 1_000_000;

/**
 * Calls `heard(name, data)` for each event until `stop()`. `told(state)` hears "live" and "waiting";
 * an answer of 401, 403 or 404 ends it with "refused" and a Problem.
 */
export function listen(path, { token, heard, told = show }) {
  const ended = new AbortController();
  run(path, token, heard, told, ended.signal);
  return { stop: () => ended.abort() };
}

/** The little light of the page. */
export function show(state) {
  const light = byId("live");
  if (!light) return;
  light.hidden = false;
  light.dataset.state = state;
  say(light, text(`live.${state === "live" ? "live" : "waiting"}`));
}

async function run(path, token, heard, told, ended) {
  let failures = 0;
  while (!ended.aborted) {
    try {
      const problem = await once(path, token, ended, (name, data) => {
        failures = 0;
        told("live");
        if (name !== "end") heard(name, data);
      });
      if (problem) return told("refused", problem);
    } catch {
      // whatever it was: the next round begins with how things are
    }
    if (ended.aborted) return undefined;
    if (failures > 0) told("waiting");
    const pause_ms = PAUSE_MS[Math.min(failures, PAUSE_MS.length - 1)];
    failures += 1;
    await new Promise((resolve) => setTimeout(resolve, pause_ms * (0.75 + Math.random() / 2)));
  }
  return undefined;
}

async function once(path, token, ended, heard) {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS_MAX);
  try {
    const headers = { accept: "text/event-stream" };
    if (token) headers.authorization = `Bearer ${token}`;
    const signal = AbortSignal.any([ended, silent.signal]);
    const answer = await fetch(path, { headers, signal, cache: "no-store", credentials: "omit" });
    learnTime(answer);
    if (REFUSALS.includes(answer.status)) return new Problem(answer.status, await answer.json().catch(() => ({})), answer.headers);
    if (!answer.ok) return null;
    let buffer = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return null;
      clearTimeout(timer);
      timer = setTimeout(() => silent.abort(), SILENCE_MS_MAX);
      const parts = (buffer + value).split("\n\n");
      buffer = parts.pop();
      if (buffer.length > BUFFER_CHARACTERS_MAX) return null;
      for (const part of parts) hear(part, heard);
    }
  } finally {
    clearTimeout(timer);
  }
}

function hear(part, heard) {
  const fields = { event: "message", data: "" };
  for (const line of part.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (fields.data) heard(fields.event, JSON.parse(fields.data));
}
