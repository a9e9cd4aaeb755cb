// kedge chat: a conversation, line by line. On a terminal it prompts and Ctrl-C takes an answer back; with piped stdin every
// line is a turn and every answer goes to stdout.

import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { DeviceError, UnsupportedError, type ChatSession, type FinishReason, type Model } from "kedge";
import {
  addDevice,
  addSampling,
  samplingOptions,
  whole,
  type DeviceArguments,
  type SamplingArguments,
} from "./arguments.ts";
import * as format from "./format.ts";
import { loadOptions, withModel } from "./loading.ts";
import { Pace } from "./pace.ts";
import type { Terminal } from "./terminal.ts";
import type { Verb } from "./verb.ts";

interface ChatArguments extends DeviceArguments, SamplingArguments {
  readonly system?: string;
  readonly context?: number;
}

const COMMANDS = "/exit leaves, /clear forgets the conversation, /stats says how it goes; Ctrl-C stops an answer";

/** `kedge chat MODEL` */
export const chat: Verb = {
  name: "chat",
  configure(command: Command) {
    command
      .summary("talk with a model")
      .description(`A conversation, a turn a line, by the model's chat template. ${COMMANDS}.`)
      .argument("<model>", "a folder, its http(s) address, or owner/name on the Hugging Face Hub")
      .option("--system <text>", "what the model is told before the conversation");
    addSampling(command, 512).option("--context <n>", "tokens that the conversation may have", whole("--context", 2));
    addDevice(command);
  },
  async execute(terminal, [source], given: ChatArguments) {
    const options = loadOptions(given);
    await withModel(source!, options, terminal, async ({ model, name }) => {
      if (model.tokenizer && model.tokenizer.chatTemplate === undefined) {
        throw new UnsupportedError(
          `${name}: has no chat template, so it was not made for conversations; use kedge run`,
        );
      }
      const conversation = new Conversation(model, given, terminal);
      try {
        await conversation.hold();
      } finally {
        conversation.dispose();
      }
    });
    return 0;
  },
};

class Conversation {
  readonly #model: Model;
  readonly #given: ChatArguments;
  readonly #terminal: Terminal;
  readonly #isTerminal: boolean;
  readonly #lines: Interface;
  #session: ChatSession;
  #isClosed = false;
  /** of the answer that is being written */
  #answering: AbortController | undefined;
  #last: Pace | undefined;

  constructor(model: Model, given: ChatArguments, terminal: Terminal) {
    this.#model = model;
    this.#given = given;
    this.#terminal = terminal;
    this.#session = this.#open();
    const { stdin, stdout } = terminal;
    this.#isTerminal = stdin.isTTY === true && stdout.isTTY === true;
    this.#lines = createInterface({
      input: stdin,
      ...(this.#isTerminal ? { output: stdout, prompt: terminal.promptText("> ") } : {}),
      terminal: this.#isTerminal,
    });
    this.#lines.on("close", () => (this.#isClosed = true));
    // On a terminal readline reads Ctrl-C as a key; otherwise it comes as a signal.
    this.#lines.on("SIGINT", () => this.#interrupt());
    terminal.signal.addEventListener("abort", () => {
      this.#answering?.abort(terminal.signal.reason);
      this.#lines.close();
    });
  }

  /** Takes turns until stdin ends or somebody says /exit. */
  async hold(): Promise<void> {
    if (this.#isTerminal) this.#terminal.note(COMMANDS);
    // Listens from here on: a line that comes at once, with the prompt, is not lost.
    const lines = this.#lines[Symbol.asyncIterator]();
    this.#prompt();
    for await (const line of lines) {
      if (this.#terminal.signal.aborted) return;
      const text = line.trim();
      if (text === "/exit" || text === "/quit") return;
      if (text.startsWith("/")) this.#obey(text);
      else if (text !== "") await this.#answer(text);
      this.#prompt();
    }
    if (this.#isTerminal) this.#terminal.print("");
  }

  dispose(): void {
    this.#lines.close();
    this.#session.dispose();
  }

  #open(): ChatSession {
    const { system, cache } = this.#given;
    return this.#model.chat({ system, cache });
  }

  #prompt(): void {
    if (this.#isTerminal && !this.#isClosed) this.#lines.prompt();
  }

  #interrupt(): void {
    if (this.#answering) this.#answering.abort(new Error("interrupted"));
    else this.#lines.close();
  }

  #obey(command: string): void {
    const { cache, weights } = this.#model.memory();
    switch (command) {
      case "/clear":
        this.#session.dispose();
        this.#session = this.#open();
        this.#terminal.note("the conversation is forgotten");
        break;
      case "/stats":
        this.#terminal.note(this.#last?.describe() ?? "nothing was said yet");
        this.#terminal.note(
          `${format.grouped(this.#session.cachedTokens)} of ${format.plural(this.#model.contextLength, "token")} in the cache: ` +
            `${format.bytes(cache.live)} of ${format.bytes(cache.allocated)}; weights ${format.bytes(weights)}; ${this.#model.device.description}`,
        );
        break;
      default:
        this.#terminal.warn(`there is no ${command}: ${COMMANDS}`);
    }
  }

  /** Streams an answer. What goes wrong with one turn does not end the conversation, unless the device is gone. */
  async #answer(text: string): Promise<void> {
    const terminal = this.#terminal;
    this.#answering = new AbortController();
    if (terminal.signal.aborted) this.#answering.abort(terminal.signal.reason);
    const pace = new Pace(() => Math.max(1, this.#session.readTokens));
    let isWritten = false;
    let last = "\n";
    let reason: FinishReason | undefined;
    try {
      const pieces = this.#session.stream(text, {
        ...samplingOptions(this.#given),
        signal: this.#answering.signal,
        stopWhen: pace.stopWhen,
      });
      for await (const piece of pieces) {
        pace.count(piece);
        isWritten = true;
        if (piece.text !== "") last = piece.text;
        terminal.write(piece.text);
        reason = piece.finishReason ?? reason;
      }
    } catch (error) {
      if (error instanceof DeviceError || (!this.#answering.signal.aborted && !(error instanceof RangeError)))
        throw error;
      if (!last.endsWith("\n")) terminal.print("");
      last = "\n";
      if (this.#answering.signal.aborted) terminal.warn(isWritten ? "the answer ends here" : "this turn was dropped");
      else terminal.warn(`${error instanceof Error ? error.message : String(error)}; /clear begins anew`);
    } finally {
      this.#answering = undefined;
      this.#last = pace;
    }
    if (!last.endsWith("\n")) terminal.print("");
    if (reason === "max-tokens")
      terminal.note(`the answer has ${this.#given.maxTokens} tokens, the limit (--max-tokens)`);
    if (reason === "context-full") terminal.note("the context is full; /clear begins anew");
  }
}
