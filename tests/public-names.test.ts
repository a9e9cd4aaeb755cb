/**
 * Everything that users can import, by name: a name that comes, goes or turns from value to type shows up here. After a
 * wanted change, `npx vitest run tests/public-names.test.ts -u` writes the list anew; the CHANGELOG says what it means.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exportedNames } from "./support/architecture.ts";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const namesOf = (path: string): string => `\n${exportedNames(path, read(path), read).join("\n")}\n`;

it("kedge exports these names", () => {
  expect(namesOf("engine/index.ts")).toMatchInlineSnapshot(`
    "
    ChatSession
    DEFAULT_STRENGTH
    DeviceError
    FormatError
    POLICY_FORMS
    ProgramBuilder
    STREAM_BYTES
    TOKEN_CLASSES
    UnsupportedError
    anchorsAtLineBreaks
    anchorsEvery
    anchorsWhere
    anchorsWithIds
    attentionDilution
    byNeglect
    chooseDevice
    collect
    configAsStored
    countParameters
    escapeAnchorTags
    estimate
    forgetKernelChoices
    gini
    hasAnchorTags
    implementationsOn
    keptKernelChoices
    lineBreakTokenIds
    loadModel
    massByClass
    massOfLargest
    measurePeak
    openDevice
    parseAnchorArgument
    parseAnchorTags
    parsePolicy
    policies
    probeWebGpu
    quantizeModel
    recallKernelChoices
    selfTest
    sparsityOf
    spreadOf
    studyAttention
    tapNames
    timeKernel
    tokenClass
    tuneStrength
    type AdapterFacts
    type AdapterOptions
    type AnchoredMessage
    type AnchoringOptions
    type AttentionStatistic
    type AttentionStudy
    type AttentionStudyOptions
    type CacheBytes
    type CachePolicy
    type CacheStatistics
    type Call
    type CapturedTensor
    type CheckedGeneration
    type Choice
    type ChoiceRecord
    type ChosenLogProb
    type ClassShares
    type Clock
    type ContrastOptions
    type Demotion
    type Device
    type DeviceChoice
    type DeviceIdentity
    type DeviceMemory
    type DeviceName
    type DeviceOptions
    type Estimate
    type ExactComparison
    type Executable
    type FinishReason
    type ForwardOptions
    type ForwardResult
    type GenerateOptions
    type Generation
    type Hook
    type HookedTensor
    type KeptChoices
    type KernelChoice
    type KernelTiming
    type KernelTuning
    type KeyView
    type LayerStudy
    type LineAnchorChooser
    type LineAnchorOptions
    type LoadOptions
    type LoadProgress
    type LogitsContext
    type LogitsHook
    type Matrix
    type MatrixSource
    type MeasuredChoice
    type MeasuredChoices
    type Model
    type ModelGenerateOptions
    type ModelMemory
    type ModelSource
    type ParameterCount
    type Peak
    type PeakOptions
    type Piece
    type Probe
    type Program
    type Prompt
    type PromptAnchor
    type PromptWithAnchors
    type QuantizeModelOptions
    type QuantizedModel
    type Schedule
    type Score
    type SelfTestResult
    type Span
    type Sparsity
    type Spread
    type StandIn
    type Step
    type StopState
    type Strength
    type StrengthFunction
    type Summary
    type Tensor
    type TimeKernelOptions
    type TokenClass
    type TokenLogProb
    type TuneKernelsOptions
    type TuneMode
    type TuneOptions
    type TuneResult
    type TuneState
    type Value
    type Variable
    variable
    "
  `);
});

it("kedge/kernels exports these names", () => {
  expect(namesOf("kernels/every-device.ts")).toMatchInlineSnapshot(`
    "
    ACTIVATIONS
    DENSE
    GROUP_COLUMNS
    PATTERN_KINDS
    POISON
    SLACK
    STORED_CODES
    activate
    activation
    add
    argmax
    attend
    attendPattern
    attendWithPattern
    boundOf
    bytesPerWeight
    cacheFormats
    cacheMove
    compare
    decodeQuantizedRows
    decodeWeights
    defineKernel
    embed
    erf
    errorOf
    f16ToF32
    gatedLinear
    gpuImplementations
    headWords
    implementationsOf
    isQuantized
    isVisible
    kernels
    keyNorm
    layerNorm
    linear
    makeTrial
    matrixByteLength
    multiplyAdd
    normalize
    packCall
    packHeads
    packRows
    paddedColumns
    planesOf
    quantizeRows
    quantizeRowsCall
    readThrough
    rmsNorm
    rotate
    rotateStore
    roundToFormat
    scaleShift
    seededRandom
    selectRows
    slotBytes
    softmax
    storedByteLength
    sumHeads
    tokenLogProb
    topK
    type ActivationName
    type Bound
    type BufferUse
    type CacheFormat
    type CachePacking
    type Cost
    type CostSetting
    type Floats
    type Implementation
    type Inputs
    type Kernel
    type MatrixFormat
    type MatrixLayout
    type MatrixShape
    type ParamType
    type Planes
    type QuantizedFormat
    type Random
    type Sample
    type SecondPass
    type Setting
    type StoredFormat
    type Trial
    type TrialError
    type TrialMatrix
    type TypedKernel
    type Violation
    type VisibilityParams
    type WasmImplementation
    type WebGlFunction
    type WebGlImplementation
    type WebGlPass
    type WebGlPlan
    type WebGlRegion
    type WgslImplementation
    unpackHeads
    webglImplementations
    wordsOf
    "
  `);
});

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
    type FolderFiles
    type FolderWriter
    type FoundFolder
    type HttpOptions
    type HubOptions
    type ModelConfig
    type ModelFolder
    type ModelType
    type PlacedTokens
    type PlannedTensor
    type QuantizedKind
    type QuantizedTensors
    type ReadBytesOptions
    type Rotary
    type RotaryShape
    type SafetensorsFile
    type SafetensorsPlan
    type Tensor
    type TensorInfo
    type TensorToWrite
    type TensorValues
    type TextRun
    type TokenBytes
    type Tokenizer
    type WeightInfo
    writeSafetensors
    "
  `);
});

it("names are read from declarations and lists, values and types apart", () => {
  const text = `export { a, type B, c as d } from "./x.ts"; export type { E } from "./y.ts"; export const f = 1, g = 2;
    export function h() {} export interface I {} export class J {}`;
  expect(exportedNames("x.ts", text)).toEqual(["J", "a", "d", "f", "g", "h", "type B", "type E", "type I"]);
});

it("names that are not written out are refused", () => {
  expect(() => exportedNames("x.ts", `export * from "./y.ts";`)).toThrow("not written out");
  expect(() => exportedNames("x.ts", `export default 1;`)).toThrow("not written out");
});
