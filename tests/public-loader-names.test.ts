// Everything that users can import from `kedge/loaders`, by name: as public-names.test.ts does for the other entries.

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exportedNames } from "./support/architecture.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const namesOf = (path: string): string => `\n${exportedNames(path, read(path), read).join("\n")}\n`;

it("kedge/loaders exports these names", () => {
  expect(namesOf("loaders/index.ts")).toMatchInlineSnapshot(`
    "
    FormatError
    MODEL_TYPES
    QUANTIZED_VERSION
    StreamDecoder
    UnsupportedError
    blobSource
    bufferSource
    checkHalves
    checkOptions
    createFolder
    decodeBf16
    decodeF16
    encodeBf16
    encodeF16
    fileSource
    filesFolder
    findFolder
    findQuantized
    httpFolder
    httpSource
    hubFolder
    inverseFrequencies
    loadConfig
    loadTokenizer
    localFolder
    nearestName
    numberInRange
    openFolder
    openSafetensors
    openWeights
    parseConfig
    parseRotary
    planSafetensors
    quantizationOf
    quantizedMetadata
    quantizedTensors
    readJson
    readText
    removeStoredModel
    replaceableFile
    storedModels
    type Activation
    type AnchorConfig
    type ByteSource
    type ChatMessage
    type ChatOptions
    type Checkpoint
    type DecodeOptions
    type DownloadProgress
    type Dtype
    type EncodeOptions
    type FindOptions
    type FolderFiles
    type FolderWriter
    type FoundFolder
    type HttpOptions
    type HubOptions
    type ModelConfig
    type ModelFolder
    type ModelType
    type OpenFileOptions
    type OptionNames
    type PlacedTokens
    type PlannedTensor
    type QuantizedKind
    type QuantizedTensors
    type ReadBytesOptions
    type Rotary
    type RotaryShape
    type SafetensorsFile
    type SafetensorsPlan
    type StoreChoice
    type StoredModel
    type StoredTensor
    type TensorInfo
    type TensorToWrite
    type TensorValues
    type TextRun
    type TokenBytes
    type Tokenizer
    type WeightInfo
    type WholeFileOptions
    untilAborted
    visibleText
    wholeNumber
    wholeNumbers
    writeProblem
    writeSafetensors
    writeWholeFile
    "
  `);
});
