// What a model asks of Selective Prompt Anchoring and contrasts: loaded when a prompt is first decoded with one of them.

export { contrastDecoder } from "./contrast-decoder.ts";
export { compareExact } from "./exact.ts";
export { planAnchoring, planContrast } from "./plan.ts";
