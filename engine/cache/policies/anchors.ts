import type { LineAnchorChooser } from "../../attention/anchors.ts";
import { checkOptions, wholeNumbers } from "../../options.ts";
import { DENSE_RULE, type RulePolicy } from "./policy.ts";

/** What to change of the model's own `anchor_attention` block. */
export interface LineAnchorOptions {
  /** first positions that stay visible; default the model's, 1 if it says nothing */
  readonly sinks?: number | undefined;
  /** finished segments that stay whole; default 0, the paper's cache */
  readonly keepRecent?: number | undefined;
  /** false: an anchor's own row sees only its segment and the sinks (AnLLM); default the model's, true if it says nothing */
  readonly anchorSeesAnchors?: boolean | undefined;
  /** which tokens are anchors; default the model's. A model without an `anchor_attention` block needs it. */
  readonly isAnchor?: LineAnchorChooser | undefined;
}

/**
 * Keeps the anchor of every finished segment, the sinks and the segment at hand: token-wise anchor attention
 * (AnchorCoder, arXiv 2411.06680; AnLLM, arXiv 2402.07616). What is left out comes from the model's config. With a model that
 * was not trained for it this is an experiment: nothing was taught to gather a segment in its anchor. The name leaves
 * `isAnchor` out. Throws a RangeError unless `sinks` and `keepRecent` are whole numbers >= 0.
 */
export function anchors(options: LineAnchorOptions = {}): RulePolicy {
  checkOptions("anchors", options, { sinks: true, keepRecent: true, anchorSeesAnchors: true, isAnchor: true });
  const { sinks, keepRecent = 0, anchorSeesAnchors, isAnchor } = options;
  wholeNumbers("anchors", { sinks, keepRecent }, 0);
  const settings = [
    ...(sinks === undefined ? [] : [`sinks=${sinks}`]),
    ...(keepRecent === 0 ? [] : [`recent=${keepRecent}`]),
    ...(anchorSeesAnchors === undefined ? [] : [`sees=${Number(anchorSeesAnchors)}`]),
  ];
  return {
    name: settings.length === 0 ? "anchors" : `anchors:${settings.join(",")}`,
    rule: { segmented: true, keepWindow: DENSE_RULE.keepWindow, keepRecent, sinks, anchorSeesAnchors },
    isAnchor,
  };
}
