// Policies as text: `name:value,setting=value`. What a policy calls itself (`policy.name`) parses to the same policy.

import { wholeNumber } from "../../options.ts";
import { anchors } from "./anchors.ts";
import { budgetText, type Budget } from "./budget.ts";
import { full } from "./full.ts";
import { heavyHitters } from "./heavy-hitters.ts";
import { keyNorm } from "./key-norm.ts";
import { lastQuery } from "./last-query.ts";
import type { CachePolicy } from "./policy.ts";
import { pyramidKv } from "./pyramid-kv.ts";
import { DEFAULT_SINKS, sinks } from "./sinks.ts";
import { snapKv } from "./snap-kv.ts";
import { window } from "./window.ts";

/** The numbers of a policy's text: those by place, of which the last is the budget, and those by name. */
interface Given {
  readonly values: readonly Budget[];
  readonly settings: Readonly<Record<string, number>>;
}

interface Form {
  /** how it is written, for messages */
  readonly form: string;
  /** how many numbers by place there may be */
  readonly values: readonly [least: number, most: number];
  readonly settings: readonly string[];
  readonly make: (given: Given) => CachePolicy;
}

const FORMS: Readonly<Record<string, Form>> = {
  full: { form: "full", values: [0, 0], settings: [], make: () => full() },
  window: { form: "window:256", values: [1, 1], settings: [], make: ({ values }) => window({ budget: values[0]! }) },
  sinks: {
    form: "sinks:[4,]256",
    values: [1, 2],
    settings: [],
    make({ values }) {
      const budget = values[values.length - 1]!;
      const first = values.length === 2 ? values[0] : DEFAULT_SINKS;
      if (typeof first !== "number")
        throw new RangeError(`sinks: the first keys are a number; they are ${budgetText(first!)}`);
      // In text the second number counts the newest keys alone; a share counts all.
      return sinks({ budget: typeof budget === "number" ? sumOf(first, budget) : budget, first });
    },
  },
  anchors: {
    form: "anchors[:sinks=1,recent=0,sees=1]",
    values: [0, 0],
    settings: ["sinks", "recent", "sees"],
    make({ settings: { sinks: first, recent, sees } }) {
      if (sees !== undefined && sees !== 0 && sees !== 1) {
        throw new RangeError(`anchors: sees must be 0 or 1; it is ${sees}`);
      }
      return anchors({
        sinks: first,
        keepRecent: recent,
        anchorSeesAnchors: sees === undefined ? undefined : sees === 1,
      });
    },
  },
  "heavy-hitters": budgeted("heavy-hitters:512", ({ values }) => heavyHitters({ budget: values[0]! })),
  "last-query": budgeted("last-query:512", ({ values }) => lastQuery({ budget: values[0]! })),
  "snap-kv": budgeted(
    "snap-kv:512[,window=32,pool=5]",
    ({ values, settings }) => snapKv({ budget: values[0]!, ...settings }),
    ["window", "pool"],
  ),
  "pyramid-kv": budgeted(
    "pyramid-kv:512[,beta=20,window=32,pool=5]",
    ({ values, settings }) => pyramidKv({ budget: values[0]!, ...settings }),
    ["beta", "window", "pool"],
  ),
  "key-norm": budgeted(
    "key-norm:512[,whole=0]",
    ({ values, settings: { whole } }) => keyNorm({ budget: values[0]!, wholeLayers: whole }),
    ["whole"],
  ),
};

/** The budget of `first` keys and `newest` others. */
function sumOf(first: number, newest: number): number {
  return wholeNumber("sinks", "first", first, 0) + wholeNumber("sinks", "the newest keys", newest, 1);
}

function budgeted(form: string, make: Form["make"], settings: readonly string[] = []): Form {
  return { form, values: [1, 1], settings, make };
}

/** The forms that {@link parsePolicy} understands, as examples, in order. */
export const POLICY_FORMS: readonly string[] = /* @__PURE__ */ Object.values(FORMS).map(({ form }) => form);

/**
 * The policy that a text such as `sinks:4,256`, `snap-kv:512,window=16` or `snap-kv:25%` (a share of the prompt's keys) names;
 * `heavyHitters` and `heavy-hitters` are the same. Throws a RangeError that lists the forms for a text that is none of them, and the
 * policy's own for numbers that it refuses.
 */
export function parsePolicy(text: string): CachePolicy {
  const [name = "", ...rest] = text.trim().split(":");
  const key = name.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  const form = Object.hasOwn(FORMS, key) ? FORMS[key] : undefined;
  if (!form || rest.length > 1) {
    throw new RangeError(`"${text}" is no cache policy: write one of ${POLICY_FORMS.join(", ")}`);
  }
  return form.make(parseGiven(text, form, rest[0]));
}

function parseGiven(text: string, { form, values: [least, most], settings: known }: Form, given?: string): Given {
  const values: Budget[] = [];
  const settings: Record<string, number> = {};
  for (const part of given?.split(",") ?? []) {
    const [, setting, digits, percent] = /^(?:([a-z]+)=)?(-?\d+(?:\.\d+)?)(%?)$/.exec(part.trim()) ?? [];
    const isNumber = digits !== undefined && (percent === "" || setting === undefined);
    if (!isNumber) throw new RangeError(`cache policy "${text}": "${part}" is no number; write ${form}`);
    if (setting === undefined) values.push(percent === "%" ? { share: Number(digits) / 100 } : Number(digits));
    else if (!known.includes(setting) || Object.hasOwn(settings, setting)) {
      throw new RangeError(
        `cache policy "${text}": "${setting}" is not among its settings, or there twice; write ${form}`,
      );
    } else settings[setting] = Number(digits);
  }
  if (values.length >= least && values.length <= most) return { values, settings };
  const wanted = least === most ? String(least) : `${least} to ${most}`;
  throw new RangeError(
    `cache policy "${text}": it has ${values.length} numbers without a name, wanted ${wanted}; write ${form}`,
  );
}
