// Server-sent events by fetch, since EventSource can't send a token. Reconnects by itself.
import { Problem } from "./api.js";
import { learnTime } from "./clock.js";
import { byId, say } from "./dom.js";
import { carried } from "./session.js";
import { text } from "./texts.js";

const SILENCE_MS_MAX = 40_000;
const PAUSE_MS = [250, 500, 1000, 2000, 4000, 8000];
const REFUSALS = [401, 403, 404];
const BUFFER_CHARACTERS_MAX = 1_000_000;

/**
 * Calls `onEvent(name, data)` for each event until `stop()`, and `onState(state)` with "live" or
 * "waiting". A response of 401, 403 or 404 ends it with `onState("refused", problem)`.
 */
export function listen(path, { token, onEvent, onState = show }) {
  const ended = new AbortController();
  run(path, token, onEvent, onState, ended.signal);
  return { stop: () => ended.abort() };
}

/** Shows the state of the connection in the page's header. */
export function show(state) {
  const light = byId("live");
  if (!light) return;
  light.hidden = false;
  light.dataset.state = state;
  say(light, text(`live.${state === "live" ? "live" : "waiting"}`));
}

async function run(path, token, onEvent, onState, ended) {
  let failures = 0;
  while (!ended.aborted) {
    try {
      const problem = await once(path, token, ended, (name, data) => {
        failures = 0;
        onState("live");
        if (name !== "end") onEvent(name, data);
      });
      if (problem) return onState("refused", problem);
    } catch {
      // any failure: the next connection starts with the current state
    }
    if (ended.aborted) return undefined;
    if (failures > 0) onState("waiting");
    const pause_ms = PAUSE_MS[Math.min(failures, PAUSE_MS.length - 1)];
    failures += 1;
    await new Promise((resolve) => setTimeout(resolve, pause_ms * (0.75 + Math.random() / 2)));
  }
  return undefined;
}

async function once(path, token, ended, onEvent) {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENCE_MS_MAX);
  try {
    const { headers, credentials } = carried(token);
    const signal = AbortSignal.any([ended, silent.signal]);
    const answer = await fetch(path, { headers: { accept: "text/event-stream", ...headers }, signal, cache: "no-store", credentials });
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
      for (const part of parts) dispatch(part, onEvent);
    }
  } finally {
    clearTimeout(timer);
  }
}

function dispatch(part, onEvent) {
  const fields = { event: "message", data: "" };
  for (const line of part.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
}
