// Whether a policy makes sense: users write their own, in JavaScript too.

import type { VisibilityRule } from "../../attention/visibility.ts";
import { checkOptions, wholeNumber, wholeNumbers, type OptionNames } from "../../options.ts";
import type { AttentionStatistic, CachePolicy, ChooserPolicy } from "./policy.ts";

const POLICY_NAMES: OptionNames<ChooserPolicy> = {
  name: true,
  isAnchor: true,
  budget: true,
  rule: true,
  keep: true,
  isPerLayer: true,
  keepsPrompt: true,
  statistics: true,
  observedQueries: true,
};
const RULE_NAMES: OptionNames<VisibilityRule> = {
  keepWindow: true,
  sinks: true,
  segmented: true,
  keepRecent: true,
  anchorSeesAnchors: true,
};
const STATISTICS: Readonly<Record<AttentionStatistic, true>> = {
  accumulated: true,
  last: true,
  observed: true,
  "key-norm": true,
};

/** A policy before it is known to be one. */
interface GivenPolicy {
  readonly name?: unknown;
  readonly rule?: VisibilityRule | undefined;
  readonly keep?: unknown;
  readonly keepsPrompt?: unknown;
  readonly statistics?: readonly string[] | undefined;
  readonly observedQueries?: number | undefined;
}

/**
 * Throws a RangeError for a policy that makes no sense: one without name, rule or `keep`, with members that no policy has, with a
 * statistic that does not exist, or whose rule has a `window`, which is the model's.
 */
export function checkPolicy(policy: CachePolicy): void {
  const given: GivenPolicy = policy;
  if (typeof given !== "object" || given === null) {
    throw new RangeError(
      `cache is ${JSON.stringify(given)}: it must be a policy, such as policies.full() or parsePolicy("full")`,
    );
  }
  const { name, rule, keep, keepsPrompt, statistics = [], observedQueries } = given;
  const where = `the policy ${JSON.stringify(name)}`;
  if (typeof name !== "string" || name === "")
    throw new RangeError(`${where} needs a name: a text of 1 character or more`);
  checkOptions<object>(where, given, POLICY_NAMES);
  if (rule === undefined && keep === undefined) {
    throw new RangeError(`${where} has neither rule nor keep, so that it says nothing: give it one of the 2`);
  }
  if (rule !== undefined) checkRule(where, rule);
  if (keep !== undefined && typeof keep !== "function") {
    throw new RangeError(`${where}: its keep is ${JSON.stringify(keep)}; it must be a function of the keys`);
  }
  for (const statistic of statistics) {
    if (Object.hasOwn(STATISTICS, statistic)) continue;
    throw new RangeError(
      `${where} asks for the statistic "${statistic}"; there are ${Object.keys(STATISTICS).join(", ")}`,
    );
  }
  if (statistics.length > 0 && keep === undefined) {
    throw new RangeError(`${where} asks for ${statistics.length} statistics, but has no keep to read them`);
  }
  if (keepsPrompt !== undefined && (typeof keepsPrompt !== "boolean" || keep === undefined)) {
    throw new RangeError(
      `${where}: its keepsPrompt must be true or false, beside a keep; it is ${JSON.stringify(keepsPrompt)}`,
    );
  }
  if (observedQueries !== undefined) wholeNumber(where, "observedQueries", observedQueries, 1);
  if (statistics.includes("observed") !== (observedQueries !== undefined)) {
    throw new RangeError(`${where} has only one of the statistic "observed" and observedQueries; it needs both`);
  }
}

function checkRule(where: string, rule: VisibilityRule): void {
  if ("window" in rule) {
    throw new RangeError(`${where}: its rule has a window, which is the model's own: use keepWindow, which adds to it`);
  }
  checkOptions(`${where}, its rule`, rule, RULE_NAMES);
  const { keepWindow, sinks, keepRecent, segmented, anchorSeesAnchors } = rule;
  wholeNumbers(`${where}, its rule`, { keepWindow, sinks, keepRecent }, 0);
  for (const [name, value] of Object.entries({ segmented, anchorSeesAnchors })) {
    if (value !== undefined && typeof value !== "boolean") {
      throw new RangeError(`${where}, its rule: ${name} must be true or false; it is ${JSON.stringify(value)}`);
    }
  }
}
