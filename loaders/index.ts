// `kedge/loaders`: bytes to tensors, text to tokens. Imports nothing else of kedge and can be used alone.

export { FormatError, UnsupportedError } from "./errors.ts";
export { blobSource, bufferSource, type ByteSource } from "./byte-source.ts";
export { fileSource, localFolder, openFolder } from "./local-folder.ts";
export { httpSource, type HttpOptions } from "./http-source.ts";
export {
  filesFolder,
  httpFolder,
  readJson,
  readText,
  type DownloadProgress,
  type FolderFiles,
  type ModelFolder,
  type OpenFileOptions,
} from "./model-folder.ts";
export { untilAborted } from "./until-aborted.ts";
export {
  openSafetensors,
  writeSafetensors,
  type Dtype,
  type ReadBytesOptions,
  type SafetensorsFile,
  type StoredTensor,
  type TensorInfo,
  type TensorToWrite,
  type TensorValues,
} from "./safetensors.ts";
export { decodeBf16, decodeF16, encodeBf16, encodeF16 } from "./float16.ts";
export { planSafetensors, type PlannedTensor, type SafetensorsPlan } from "./safetensors-plan.ts";
export {
  checkHalves,
  findQuantized,
  quantizationOf,
  quantizedMetadata,
  quantizedTensors,
  QUANTIZED_VERSION,
  type QuantizedKind,
  type QuantizedTensors,
} from "./quantized.ts";
export { createFolder, type FolderWriter } from "./folder-writer.ts";
export { replaceableFile, writeProblem, writeWholeFile, type WholeFileOptions } from "./whole-file.ts";
export { visibleText } from "./visible-text.ts";
export { checkOptions, nearestName, numberInRange, wholeNumber, wholeNumbers, type OptionNames } from "./options.ts";
export { openWeights, type Checkpoint, type WeightInfo } from "./shards.ts";
export {
  MODEL_TYPES,
  loadConfig,
  parseConfig,
  type Activation,
  type AnchorConfig,
  type ModelType,
  type ModelConfig,
} from "./config.ts";
export { inverseFrequencies, parseRotary, type Rotary, type RotaryShape } from "./rotary.ts";
export { loadTokenizer } from "./load-tokenizer.ts";
export type { EncodeOptions, PlacedTokens, Tokenizer } from "./tokenizer.ts";
export type { ChatMessage, ChatOptions } from "./chat-template/chat-template.ts";
export { StreamDecoder, type DecodeOptions, type TextRun, type TokenBytes } from "./token-decoder.ts";
export { findFolder, type FindOptions, type FoundFolder } from "./find-folder.ts";
export { removeStoredModel, storedModels } from "./stored-models.ts";
export type { StoredModel } from "./stored/listing.ts";
export type { StoreChoice } from "./stored/model-place.ts";
export { hubFolder, type HubOptions } from "./hub.ts";
