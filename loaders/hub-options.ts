// The options of downloads from the Hub, in a file of their own: a page checks them without loading the downloads.

import type { DownloadProgress } from "./model-folder.ts";
import type { OptionNames } from "./options.ts";

/** Where to download from and to. */
export interface HubOptions {
  /** A branch, tag or commit; "main" by default. */
  readonly revision?: string | undefined;
  /** Instead of HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined;
  /** An access token (`hf_...`) for gated and private repositories; HF_TOKEN by default. */
  readonly token?: string | undefined;
  /** Another server that speaks the Hub's protocol; HF_ENDPOINT by default. */
  readonly hubUrl?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The options of downloads by name. */
export const HUB_OPTIONS: OptionNames<HubOptions> = {
  revision: true,
  cacheDir: true,
  token: true,
  hubUrl: true,
  fetch: true,
  onProgress: true,
  signal: true,
};
