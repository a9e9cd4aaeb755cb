/**
 * Everything that users can import, by name: a name that comes, goes or turns from value to type shows up here. After a
 * wanted change, `npx vitest run tests/public-names.test.ts -u` writes the list anew; the CHANGELOG says what it means.
 * `kedge/kernels` and `kedge/loaders` have their lists in public-kernel-names.test.ts and public-loader-names.test.ts.
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
    DeviceError
    FormatError
    UnsupportedError
    byNeglect
    collect
    configAsStored
    countParameters
    escapeAnchorTags
    estimate
    loadModel
    policies
    quantizeModel
    removeStoredModel
    storedModels
    tapNames
    type AnchoredMessage
    type AnchoringOptions
    type BatchOptions
    type BatchPrompt
    type CacheBytes
    type CachePolicy
    type CacheStatistics
    type CapturedTensor
    type ChatSessionOptions
    type CheckedGeneration
    type ChosenLogProb
    type ContrastOptions
    type Device
    type Estimate
    type FinishReason
    type ForwardBatchOptions
    type ForwardOptions
    type ForwardPrompt
    type ForwardResult
    type FullContext
    type Generation
    type GivenTensor
    type Hook
    type HookedTensor
    type LoadOptions
    type LoadProgress
    type LogitsContext
    type LogitsHook
    type Model
    type ModelGenerateOptions
    type ModelMemory
    type ModelSource
    type ParameterCount
    type Piece
    type Prompt
    type PromptAnchor
    type PromptWithAnchors
    type QuantizeModelOptions
    type QuantizedModel
    type Score
    type ScoreOptions
    type StopState
    type StoreChoice
    type StoredModel
    type Strength
    type TokenLogProb
    type TurnOptions
    type UnembedOptions
    "
  `);
});

it("kedge/anchoring exports these names", () => {
  expect(namesOf("engine/anchoring.ts")).toMatchInlineSnapshot(`
    "
    DEFAULT_STRENGTH
    byNeglect
    escapeAnchorTags
    hasAnchorTags
    parseAnchorArgument
    parseAnchorTags
    splitTasks
    tuneStrength
    type ExactComparison
    type Interval
    type LogitDifference
    type NeglectOptions
    type Schedule
    type Span
    type StandIn
    type Strength
    type StrengthFunction
    type StrengthStep
    type TuneOptions
    type TuneResult
    type TuneState
    wilsonInterval
    "
  `);
});

it("kedge/attention exports these names", () => {
  expect(namesOf("engine/attention.ts")).toMatchInlineSnapshot(`
    "
    TOKEN_CLASSES
    attentionDilution
    attentionRollout
    attributeLogit
    gini
    logitLens
    massByClass
    scoreHeads
    sparsityOf
    studyAttention
    tokenClass
    topMass
    type AttentionRollout
    type AttentionStudy
    type AttentionStudyOptions
    type ClassShares
    type HeadScores
    type HeadScoresOptions
    type LayerAttribution
    type LayerHeadScores
    type LayerStudy
    type LensPlace
    type LikelyToken
    type LogitAttribution
    type LogitAttributionOptions
    type LogitLens
    type LogitLensOptions
    type RolloutOptions
    type Sparsity
    type Summary
    type TokenClass
    type TokenText
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
    type KernelCall
    type Matrix
    type MatrixSource
    type MeasuredChoice
    type MeasuredChoices
    type PrepareOptions
    type Probe
    type Program
    type Read
    type SelfTestOptions
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

it("kedge/policies exports these names", () => {
  expect(namesOf("engine/policies.ts")).toMatchInlineSnapshot(`
    "
    POLICY_FORMS
    anchorsAtLineBreaks
    anchorsEvery
    anchorsWhere
    anchorsWithIds
    lineBreakTokenIds
    parsePolicy
    policies
    type AttentionStatistic
    type Budget
    type CachePolicy
    type ChooserPolicy
    type EvictionOptions
    type KeyNormOptions
    type KeyView
    type LineAnchorChooser
    type LineAnchorOptions
    type PyramidKvOptions
    type RulePolicy
    type SinksOptions
    type SnapKvOptions
    type VisibilityRule
    type WindowOptions
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

it("names are read from declarations and lists, values and types apart", () => {
  const text = `export { a, type B, c as d } from "./x.ts"; export type { E } from "./y.ts"; export const f = 1, g = 2;
    export function h() {} export interface I {} export class J {}`;
  expect(exportedNames("x.ts", text)).toEqual(["J", "a", "d", "f", "g", "h", "type B", "type E", "type I"]);
  expect(() => exportedNames("x.ts", `export * from "./y.ts";`)).toThrow("not written out");
  expect(() => exportedNames("x.ts", `export default 1;`)).toThrow("not written out");
});
