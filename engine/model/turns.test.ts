import { afterEach, describe, expect, it, vi } from "vitest";
import { Turns, withoutStorage } from "./turns.ts";

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const within = "the hook calls the model that it runs in, which waits for the hook";

/** Takes a turn in which a hook of the user's runs. */
const withHook = (turns: Turns, hook: () => unknown) =>
  turns.take(undefined, () => turns.call("the hook", () => hook() as Promise<unknown>));

afterEach(() => void vi.useRealTimers());

describe("turns", () => {
  it("run one at a time in the order of the requests, whatever becomes of them", async () => {
    const turns = new Turns("model");
    const told: string[] = [];
    const one = async (name: string) => {
      told.push(`${name} begins`);
      await sleep(2);
      told.push(`${name} ends`);
      if (name === "b") throw new Error("b fails");
    };
    const all = await Promise.allSettled(["a", "b", "c"].map((name) => turns.take(undefined, () => one(name))));
    expect(told).toEqual(["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]));
    expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  it("that are aborted while they wait end at once, and those behind them keep the order", async () => {
    const turns = new Turns("model");
    const abort = new AbortController();
    const end = await turns.enter();
    const aborted = turns.take(abort.signal, () => "never");
    let hasRun = false;
    const behind = turns.take(undefined, () => (hasRun = true));
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await sleep(2);
    expect(hasRun).toBe(false);
    end();
    expect(await behind).toBe(true);
  });
});

describe("a hook", () => {
  it.each([0, 2])("that asks for a turn after %i awaits is refused, and the turn goes on", async (awaits) => {
    const turns = new Turns("model");
    const hook = async () => {
      for (let i = 0; i < awaits; i++) await sleep(1);
      await expect(turns.take(undefined, () => 1)).rejects.toThrow(within);
      return "done";
    };
    expect(await withHook(turns, hook)).toBe("done");
    expect(await turns.take(undefined, () => 2)).toBe(2);
  });

  it("is refused through another model, too, and may call that one", async () => {
    const [own, other] = [new Turns("model"), new Turns("model")];
    const inner = () => own.take(undefined, () => 1);
    await expect(withHook(own, () => withHook(other, inner))).rejects.toThrow(within);
    expect(await withHook(own, () => other.take(undefined, () => 3))).toBe(3);
  });

  it("does not keep other callers from waiting for their turn", async () => {
    const turns = new Turns("model");
    let release: (() => void) | undefined;
    const passes = withHook(turns, () => new Promise<void>((resolve) => (release = resolve)));
    await sleep(1);
    const other = turns.take(undefined, () => "other");
    await sleep(5);
    release!();
    await passes;
    expect(await other).toBe("other");
  });

  it("may leave work behind that asks for a turn when the hook is over", async () => {
    const turns = new Turns("model");
    let later: Promise<number> | undefined;
    await withHook(turns, () => void (later = sleep(5).then(() => turns.take(undefined, () => 4))));
    expect(await later).toBe(4);
  });
});

describe("without AsyncLocalStorage, as in browsers, a hook", () => {
  it("that asks for a turn before its first await is refused", async () => {
    const restore = withoutStorage();
    const turns = new Turns("model");
    await expect(withHook(turns, () => turns.take(undefined, () => 1))).rejects.toThrow(within);
    expect(await turns.take(undefined, () => 2)).toBe(2);
    restore();
  });

  it("that asks for one later is refused after 10 s, as is who waits with it; others before that get theirs", async () => {
    vi.useFakeTimers();
    const restore = withoutStorage();
    const turns = new Turns("model");
    const patience = "the model has waited 10 s for the hook: what the hook itself waits for must not need the model";
    const hook = async () => {
      await Promise.resolve();
      return turns.take(undefined, () => 1);
    };
    const refused = expect(withHook(turns, hook)).rejects.toThrow(patience);
    await vi.advanceTimersByTimeAsync(9_999);
    const behind = turns.take(undefined, () => 2);
    await vi.advanceTimersByTimeAsync(2);
    await refused;
    expect(await behind).toBe(2);
    restore();
  });
});
