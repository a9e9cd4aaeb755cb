// kedge serve: models behind OpenAI's API. What serves is loaded when it is asked for, so that other verbs start as fast without it.

import type { Command } from "commander";
import { addCacheType, addDevice, number, UsageError, whole, type DeviceArguments } from "./arguments.ts";
import { loadOptions } from "./loading.ts";
import type { Verb } from "./verb.ts";

interface ServeArguments extends DeviceArguments {
  readonly host: string;
  readonly port: number;
  readonly apiKey?: string;
  readonly cors?: readonly string[];
  readonly context?: number;
  readonly maxTokens: number;
  readonly rows: number;
  readonly cacheMemory: number;
  readonly queue: number;
  readonly bodyLimit: number;
  readonly timeout: number;
  readonly patience: number;
  readonly drain: number;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Bytes as people write them, such as `512MB`; powers of ten, as kedge prints them. */
function size(name: string): (text: string) => number {
  return (text) => {
    const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text.trim()) ?? [];
    const scale = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
    const bytes = digits === undefined || scale === undefined ? Number.NaN : Math.floor(Number(digits) * scale);
    if (bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
    throw new UsageError(`${name} is "${text}": wanted bytes, such as 8MB`);
  };
}

function seconds(name: string): (text: string) => number {
  return number(name, "seconds above 0, at most 86400", (value) => value > 0 && value <= 86_400);
}

function origin(text: string, earlier: readonly string[] | undefined): readonly string[] {
  if (text === "*" || (URL.canParse(text) && new URL(text).origin === text)) return [...(earlier ?? []), text];
  throw new UsageError(`--cors is "${text}": wanted an origin, such as https://example.org, or *`);
}

/** `NAME=MODEL`, or a model that goes by the name of its folder. */
function named(argument: string): { readonly name: string | undefined; readonly source: string } {
  const [, name, source] = /^([\w.-]+)=(.+)$/.exec(argument) ?? [];
  return name === undefined || source === undefined ? { name: undefined, source: argument } : { name, source };
}

/** `kedge serve MODEL…` */
export const serve: Verb = {
  name: "serve",
  configure(command: Command) {
    command
      .summary("answer requests over HTTP, as OpenAI's API does")
      .description(
        "Serves models behind OpenAI's API: chats, completions, embeddings. SIGTERM and Ctrl-C let requests that run end first.",
      )
      .argument(
        "<model...>",
        "folders, http(s) addresses, or owner/name on the Hugging Face Hub; NAME=MODEL gives a name",
      )
      .option("--host <address>", "the address to listen on; 0.0.0.0 for all of this machine", "127.0.0.1")
      .option("--port <n>", "the port to listen on; 0 for a free one", whole("--port", 0, 65_535), 8080)
      .option("--api-key <key>", "the key that clients must give (default: KEDGE_API_KEY; none asks for none)")
      .option("--cors <origin>", "an origin whose pages may ask, or *; several may be given (default: none)", origin)
      .option("--context <n>", "tokens that prompt and answer may have together", whole("--context", 2))
      .option(
        "-n, --max-tokens <n>",
        "tokens of a chat's answer where the request does not say",
        whole("--max-tokens", 1),
        1024,
      )
      .option("--rows <n>", "texts of a model that are decoded at a time", whole("--rows", 1, 1024), 32)
      .option(
        "--cache-memory <bytes>",
        "bytes of keys and values of a model, and at least one whole context",
        size("--cache-memory"),
        1e9,
      )
      .option(
        "--queue <n>",
        "requests to a model that may wait; others get status 429",
        whole("--queue", 0, 65_536),
        64,
      )
      .option("--body-limit <bytes>", "the largest body of a request", size("--body-limit"), 8e6)
      .option("--timeout <s>", "the longest that a request may take", seconds("--timeout"), 600)
      .option("--patience <s>", "the longest that a client may read nothing of its stream", seconds("--patience"), 30)
      .option("--drain <s>", "how long requests may go on when the server ends", seconds("--drain"), 30);
    addDevice(addCacheType(command));
  },
  async execute(terminal, args, given: ServeArguments) {
    const sources = (args as readonly string[]).map(named);
    const apiKey = given.apiKey ?? terminal.env["KEDGE_API_KEY"];
    if (apiKey === "") throw new UsageError("the API key is empty: wanted 1 character or more");
    const { serveModels } = await import("./serve/serve-models.ts");
    const { host, port, cors = [], drain } = given;
    await serveModels(
      {
        sources,
        host,
        port,
        access: { apiKey, corsOrigins: cors },
        limits: {
          bodyBytes: given.bodyLimit,
          timeoutSeconds: given.timeout,
          patienceSeconds: given.patience,
          rows: given.rows,
          cacheBytes: given.cacheMemory,
          queue: given.queue,
          maxTokens: given.maxTokens,
        },
        drainSeconds: drain,
        load: loadOptions(given),
      },
      terminal,
    );
    return 0;
  },
};
