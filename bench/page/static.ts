// The script of a page that `npm run bench kernels -- --html FILE` writes: its results stand in it as JSON.

import type { KernelResults } from "../kernels/results.ts";
import { showReport } from "./report-view.ts";

const results = JSON.parse(document.getElementById("results")!.textContent!) as KernelResults;
showReport(document.querySelector("main")!, results);
