// The part of Selective Prompt Anchoring and contrasts that a model uses. It is loaded when a prompt is first decoded with one of them.

export { contrastDecoder } from "../prompt-anchoring/contrast-decoder.ts";
export { compareExact } from "../prompt-anchoring/exact.ts";
export { planAnchoring, planContrast } from "../prompt-anchoring/plan.ts";
export { EmbeddingTable } from "./embeddings.ts";
