// Checks of what callers give: those of loaders/, under the name by which the engine knows them.

export {
  checkOptions,
  nearestName,
  numberInRange,
  wholeNumber,
  wholeNumbers,
  type OptionNames,
} from "../loaders/index.ts";
