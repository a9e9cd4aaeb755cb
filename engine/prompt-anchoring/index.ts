// The part of Selective Prompt Anchoring and contrasts that a model uses. It is loaded when a prompt is first decoded with one of them.

export { contrastDecoder } from "./contrast-decoder.ts";
export { compareExact } from "./exact.ts";
export { planAnchoring, planContrast } from "./plan.ts";
