// The page: loads a model, generates from the prompt, shows how fast and in how much memory, and what attention did.
// `?model=…&device=…` in the address choose what is loaded.

import type { LoadProgress } from "kedge";
import type { DeviceChoice } from "kedge/devices";
import { AttentionView, element } from "./attention-view.ts";
import { Session, type RunFacts } from "./session.ts";

const MODELS = ["kedge-js-5m", "kedge-js-5m-anchor"];
const task = (comment: string, head: string) => `/**\n * ${comment}\n */\nfunction ${head} {\n`;
const EXAMPLES = {
  "even sum": task("Keep only the even numbers and then add all the numbers together.", "total(nums)"),
  "longest word": task("Find the longest word.", "pick(words)"),
  "no duplicates": task("Remove duplicate words.", "unique(words)"),
};

const page = element("page");
const status = element("status");
const progress = element("progress");
const model = element<HTMLSelectElement>("model");
const device = element<HTMLSelectElement>("device");
const temperature = element<HTMLInputElement>("temperature");
const maxTokens = element<HTMLInputElement>("max-tokens");
const prompt = element<HTMLTextAreaElement>("prompt");
const form = element<HTMLFormElement>("form");
const generate = element<HTMLButtonElement>("generate");
const stop = element<HTMLButtonElement>("stop");
const given = element("given");
const generated = element("generated");
const facts = element("facts");
const attention = new AttentionView();

type State = "loading" | "ready" | "generating" | "failed";
let session: Session | undefined;
let loading = new AbortController();
let running: AbortController | undefined;

/** What is wrong is said in another color, and where it can be seen. */
function setState(state: State, message: string, isWrong = state === "failed"): void {
  page.dataset["state"] = state;
  status.textContent = message;
  status.classList.toggle("wrong", isWrong);
  if (isWrong) status.scrollIntoView({ block: "nearest" });
  generate.disabled = state !== "ready";
  generate.hidden = state === "generating";
  stop.hidden = state !== "generating";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function showProgress({ phase, fraction }: LoadProgress): void {
  const percent = Math.round(fraction * 100);
  status.textContent = `Loading ${phase} … ${percent} %`;
  progress.setAttribute("aria-valuenow", String(percent));
  (progress.firstElementChild as HTMLElement).style.width = `${percent}%`;
}

/** Loads what the two lists say; what was loaded or loading before is given up. */
async function load(): Promise<void> {
  loading.abort();
  running?.abort();
  loading = new AbortController();
  const { signal } = loading;
  setState("loading", "Loading …");
  attention.hide();
  const before = session;
  session = undefined;
  await before?.dispose();
  try {
    const url = new URL(`./${model.value}/`, document.baseURI);
    const loaded = await Session.load(url, device.value as DeviceChoice, showProgress, signal);
    if (signal.aborted) return await loaded.dispose();
    session = loaded;
    setState("ready", loaded.model.device.description);
  } catch (error) {
    if (!signal.aborted) setState("failed", messageOf(error));
  }
}

const megabytes = (bytes: number) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const rate = (value: number) => (Number.isFinite(value) ? `${Math.round(value)} tokens/s` : "–");

function showFacts(figures: RunFacts): void {
  const { promptTokens, newTokens, promptTokensPerSecond, tokensPerSecond, weights, cachePeak } = figures;
  const rows = {
    Prompt: `${promptTokens} tokens, ${rate(promptTokensPerSecond)}`,
    Text: `${newTokens} tokens, ${rate(tokensPerSecond)}`,
    Weights: megabytes(weights),
    Cache: `${megabytes(cachePeak)} at its peak`,
  };
  facts.replaceChildren(
    ...Object.entries(rows).map(([name, value]) => {
      const row = document.createElement("div");
      const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      detail.textContent = value;
      row.append(term, detail);
      return row;
    }),
  );
}

async function run(): Promise<void> {
  const current = session;
  if (current === undefined || page.dataset["state"] !== "ready") return;
  running = new AbortController();
  setState("generating", current.model.device.description);
  attention.hide();
  given.textContent = prompt.value;
  generated.textContent = "";
  facts.replaceChildren();
  let message = current.model.device.description;
  let isWrong = false;
  try {
    const options = { temperature: temperature.valueAsNumber, maxTokens: maxTokens.valueAsNumber };
    await current.run(prompt.value, { ...options, signal: running.signal }, (text, newFacts) => {
      generated.append(text);
      showFacts(newFacts);
    });
  } catch (error) {
    isWrong = !running.signal.aborted;
    message = isWrong ? messageOf(error) : "Stopped";
  }
  if (session !== current) return; // another model was asked for meanwhile
  try {
    if (generated.textContent !== "") attention.show(await current.patterns());
  } catch (error) {
    [message, isWrong] = [messageOf(error), true];
  }
  if (session === current) setState("ready", message, isWrong);
}

model.append(...MODELS.map((name) => new Option(name)));
const address = new URLSearchParams(location.search);
if (MODELS.includes(address.get("model") ?? "")) model.value = address.get("model")!;
const devices = [...device.options].map(({ value }) => value);
if (devices.includes(address.get("device") ?? "")) device.value = address.get("device")!;

for (const [name, text] of Object.entries(EXAMPLES)) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = name;
  button.addEventListener("click", () => {
    prompt.value = text;
    prompt.focus();
  });
  element("examples").append(button);
}
prompt.value = EXAMPLES["even sum"];

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run();
});
prompt.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void run();
});
stop.addEventListener("click", () => running?.abort());
/** Loads what was chosen, and keeps it in the address. */
function choose(): void {
  history.replaceState(null, "", `?${new URLSearchParams({ model: model.value, device: device.value })}`);
  void load();
}
model.addEventListener("change", choose);
device.addEventListener("change", choose);
void load();
