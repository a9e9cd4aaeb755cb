/**
 * Everything that users can import, by name: a name that comes, goes or turns from value to type shows up here. After a
 * wanted change, `npx vitest run tests/public-names.test.ts -u` writes the list anew; the CHANGELOG says what it means.
 * `kedge/loaders` has its list in public-loader-names.test.ts.
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
    UnsupportedError
    anchorsAtLineBreaks
    anchorsEvery
    anchorsWhere
    anchorsWithIds
    byNeglect
    collect
    configAsStored
    countParameters
    escapeAnchorTags
    estimate
    hasAnchorTags
    lineBreakTokenIds
    loadModel
    parseAnchorArgument
    parseAnchorTags
    parsePolicy
    policies
    quantizeModel
    removeStoredModel
    storedModels
    tapNames
    tuneStrength
    type AnchoredMessage
    type AnchoringOptions
    type AttentionStatistic
    type BatchOptions
    type Budget
    type CacheBytes
    type CachePolicy
    type CacheStatistics
    type CapturedTensor
    type ChatSessionOptions
    type CheckedGeneration
    type ChooserPolicy
    type ChosenLogProb
    type ContrastOptions
    type Device
    type DeviceChoice
    type DeviceOptions
    type Estimate
    type EvictionOptions
    type ExactComparison
    type FinishReason
    type ForwardOptions
    type ForwardResult
    type FullContext
    type Generation
    type Hook
    type HookedTensor
    type Interval
    type KernelCall
    type KeyView
    type LineAnchorChooser
    type LineAnchorOptions
    type LoadOptions
    type LoadProgress
    type LogitsContext
    type LogitsHook
    type Model
    type ModelGenerateOptions
    type ModelMemory
    type ModelSource
    type NeglectOptions
    type ParameterCount
    type Piece
    type Prompt
    type PromptAnchor
    type PromptWithAnchors
    type QuantizeModelOptions
    type QuantizedModel
    type RulePolicy
    type Schedule
    type Score
    type ScoreOptions
    type SnapKvOptions
    type Span
    type StandIn
    type StopState
    type StoreChoice
    type StoredModel
    type Strength
    type StrengthFunction
    type StrengthStep
    type TokenLogProb
    type TuneOptions
    type TuneResult
    type TuneState
    type TurnOptions
    wilsonInterval
    "
  `);
});

it("kedge/attention exports these names", () => {
  expect(namesOf("engine/attention.ts")).toMatchInlineSnapshot(`
    "
    TOKEN_CLASSES
    attentionDilution
    gini
    massByClass
    massOfLargest
    sparsityOf
    studyAttention
    tokenClass
    type AttentionStudy
    type AttentionStudyOptions
    type ClassShares
    type LayerStudy
    type Sparsity
    type Summary
    type TokenClass
    "
  `);
});

it("kedge/devices exports these names", () => {
  expect(namesOf("engine/devices.ts")).toMatchInlineSnapshot(`
    "
    DeviceError
    ProgramBuilder
    chooseDevice
    implementationsOn
    openDevice
    probeWebGpu
    runTrial
    selfTest
    type AdapterFacts
    type AdapterOptions
    type Call
    type Demotion
    type Device
    type DeviceChoice
    type DeviceIdentity
    type DeviceMemory
    type DeviceName
    type DeviceOptions
    type DevicePick
    type Executable
    type Matrix
    type MatrixSource
    type MeasuredChoice
    type MeasuredChoices
    type PrepareOptions
    type Probe
    type Program
    type Read
    type SelfTestResult
    type Step
    type Tensor
    type Value
    type Variable
    type WasmOptions
    type WebGlOptions
    type WebGpuOptions
    type Write
    variable
    "
  `);
});

it("kedge/timing exports these names", () => {
  expect(namesOf("engine/timing.ts")).toMatchInlineSnapshot(`
    "
    STREAM_BYTES
    forgetKernelChoices
    keptKernelChoices
    measurePeak
    recallKernelChoices
    spreadOf
    timeKernel
    type ChoiceRecord
    type Clock
    type KeptChoices
    type KernelChoice
    type KernelTiming
    type KernelTuning
    type Peak
    type PeakOptions
    type Spread
    type TimeKernelOptions
    type TuneKernelsOptions
    type TuneMode
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
    addImplementations
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

it("names are read from declarations and lists, values and types apart, and refused where they are not written out", () => {
  const text = `export { a, type B, c as d } from "./x.ts"; export type { E } from "./y.ts"; export const f = 1, g = 2;
    export function h() {} export interface I {} export class J {}`;
  expect(exportedNames("x.ts", text)).toEqual(["J", "a", "d", "f", "g", "h", "type B", "type E", "type I"]);
  expect(() => exportedNames("x.ts", `export * from "./y.ts";`)).toThrow("not written out");
  expect(() => exportedNames("x.ts", `export default 1;`)).toThrow("not written out");
});
