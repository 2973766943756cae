"use strict";

// A conversation over /v1/chat/completions. What the model writes only ever becomes text of a node.

const byId = id => document.getElementById(id);
const log = byId("log");
const input = byId("input");
const stop = byId("stop");
const send = byId("send");

// A tool that never stops asking is stopped.
const maxRounds = 8;

let messages = [];
let running = null;

const places = {
  Paris: [18, "sunny", "Europe/Paris"],
  Oslo: [3, "foggy", "Europe/Oslo"],
  Tokyo: [24, "cloudy", "Asia/Tokyo"],
  London: [14, "rainy", "Europe/London"],
};

const city = { type: "object", properties: { city: { type: "string", description: "The city" } }, required: ["city"] };

const pair = {
  type: "object",
  properties: {
    a: { type: "integer", description: "First number" },
    b: { type: "integer", description: "Second number" },
  },
  required: ["a", "b"],
};

const tools = {
  get_weather: {
    description: "Get the current weather for a city",
    parameters: city,
    run: ({ city }) => {
      const [temperature, condition] = places[city] ?? [String(city).length + 5, "cloudy"];
      return { temperature, condition };
    },
  },
  get_time: {
    description: "Get the current time in a city",
    parameters: city,
    run: ({ city }) => ({
      time: new Date().toLocaleTimeString("en-GB", { timeZone: places[city]?.[2] ?? "UTC", hour: "2-digit", minute: "2-digit" }),
    }),
  },
  add: { description: "Add two numbers", parameters: pair, run: ({ a, b }) => Number(a) + Number(b) },
};

function show(kind, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const node = document.createElement("div");
  node.className = kind;
  node.textContent = text;
  log.append(node);
  follow(atEnd);
  return node;
}

// Whoever has scrolled up to read stays there.
function follow(atEnd) {
  if (atEnd) {
    log.scrollTop = log.scrollHeight;
  }
}

function append(node, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  node.append(text);
  node.normalize();
  follow(atEnd);
}

// Text that comes faster than the screen shows pictures is added once a picture: each addition lays the whole text out anew.
function writer(node) {
  let waiting = "";
  let picture = 0;
  const flush = () => {
    cancelAnimationFrame(picture);
    picture = 0;
    if (waiting) {
      append(node, waiting);
      waiting = "";
    }
  };
  return {
    write(text) {
      waiting += text;
      picture ||= requestAnimationFrame(flush);
    },
    flush,
  };
}

function headers() {
  const key = byId("key").value;
  return { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
}

function request(conversation) {
  const system = byId("system").value.trim();
  const temperature = byId("temperature").valueAsNumber;
  const max = byId("max").valueAsNumber;
  const declared = Object.entries(tools).map(([name, { description, parameters }]) =>
    ({ type: "function", function: { name, description, parameters } }));
  return {
    messages: [...(system ? [{ role: "system", content: system }] : []), ...conversation],
    stream: true,
    stream_options: { include_usage: true },
    ...(byId("tools").checked && { tools: declared }),
    ...(Number.isFinite(temperature) && { temperature }),
    ...(Number.isFinite(max) && { max_tokens: max }),
  };
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data === "[DONE]") {
        return;
      }
      yield JSON.parse(data);
    }
  }
}

async function failure(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

function figures(usage, timings, seconds) {
  const speed = timings?.decode_tokens_per_second || usage.completion_tokens / seconds;
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  return `${usage.prompt_tokens.toLocaleString()} tokens read${cached ? `, ${cached.toLocaleString()} of them kept from before` : ""}, `
    + `${usage.completion_tokens.toLocaleString()} written at ${Math.round(speed).toLocaleString()} tokens/s`;
}

// Streams one reply, adds it to the conversation, and returns the calls in it.
async function reply(conversation, signal) {
  const node = show("turn assistant writing", "");
  const { write, flush } = writer(node);
  const message = { role: "assistant", content: "" };
  let calls = [];
  let complete = false;
  const began = performance.now();
  try {
    const response = await fetch("v1/chat/completions", {
      method: "POST", headers: headers(), body: JSON.stringify(request(conversation)), signal,
    });
    if (!response.ok) {
      throw new Error(await failure(response));
    }
    for await (const chunk of events(response)) {
      if (chunk.error) {
        throw new Error(chunk.error.message);
      }
      const delta = chunk.choices[0]?.delta;
      if (delta?.content) {
        message.content += delta.content;
        write(delta.content);
      }
      for (const call of delta?.tool_calls ?? []) {
        calls[call.index] = call;
      }
      if (chunk.usage) {
        flush();
        show("figures", figures(chunk.usage, chunk.timings, (performance.now() - began) / 1000));
      }
    }
    complete = true;
  } finally {
    flush();
    node.classList.remove("writing");
    if (!message.content) {
      node.remove();
    }
    // What was stopped stays in the conversation as far as it came; a call needs its result, which will not come.
    calls = complete ? calls : [];
    if (message.content || calls.length) {
      conversation.push(calls.length ? { ...message, tool_calls: calls.map(({ index, ...call }) => call) } : message);
    }
  }
  return calls;
}

// JSON as the model knows it: a space after each colon and comma.
function spaced(value) {
  return typeof value === "object"
    ? `{${Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${JSON.stringify(part)}`).join(", ")}}`
    : JSON.stringify(value);
}

function run(conversation, { id, function: { name, arguments: written } }) {
  const node = show("turn call", `${name}(${written})`);
  let result;
  try {
    result = Object.hasOwn(tools, name) ? tools[name].run(JSON.parse(written)) : `There is no function ${name}.`;
  } catch (error) {
    result = `Error: ${error.message}`;
  }
  const text = typeof result === "string" ? result : spaced(result);
  append(node, `\n→ ${text}`);
  conversation.push({ role: "tool", tool_call_id: id, content: text });
}

async function ask(text) {
  show("turn user", text);
  const conversation = messages;
  conversation.push({ role: "user", content: text });
  running = new AbortController();
  const { signal } = running;
  setBusy(true);
  try {
    for (let round = 0; round < maxRounds && !signal.aborted; round++) {
      const calls = await reply(conversation, signal);
      if (calls.length === 0) {
        break;
      }
      calls.forEach(call => run(conversation, call));
    }
  } catch (error) {
    if (!signal.aborted) {
      show("turn error", error.message);
      // Nothing answers the question: it goes back to where it can be asked again.
      if (conversation.at(-1).role === "user") {
        input.value ||= conversation.pop().content;
        grow();
      }
    } else if (running?.signal === signal) {
      show("figures", "Stopped.");
    }
  }
  // A new chat may have begun meanwhile.
  if (running?.signal === signal) {
    running = null;
    setBusy(false);
    input.focus();
  }
}

function setBusy(busy) {
  send.hidden = busy;
  stop.hidden = !busy;
  log.setAttribute("aria-busy", String(busy));
}

function grow() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
}

byId("form").addEventListener("submit", event => {
  event.preventDefault();
  const text = input.value.trim();
  if (text && !running) {
    input.value = "";
    grow();
    ask(text);
  }
});

input.addEventListener("input", grow);
input.addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    byId("form").requestSubmit();
  }
});

stop.addEventListener("click", () => running?.abort());
document.addEventListener("keydown", event => {
  if (event.key === "Escape") {
    running?.abort();
  }
});

byId("new").addEventListener("click", () => {
  const old = running;
  running = null;
  old?.abort();
  messages = [];
  log.replaceChildren();
  setBusy(false);
  input.focus();
});

byId("toggle").addEventListener("click", () => {
  const settings = byId("settings");
  settings.hidden = !settings.hidden;
  byId("toggle").setAttribute("aria-expanded", String(!settings.hidden));
});

async function greet() {
  const response = await fetch("v1/models", { headers: headers() });
  if (response.ok) {
    const name = (await response.json()).data[0].id;
    byId("model").textContent = name;
    document.title = name;
  } else if (response.status === 503) {
    byId("model").textContent = "The model is being loaded …";
    setTimeout(greet, 1000);
  } else if (response.status === 401) {
    byId("model").textContent = "An API key is needed: see Settings";
  }
}

byId("key").addEventListener("change", greet);
greet();
