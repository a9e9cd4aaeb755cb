// The UnicodeScripts step: text is cut where the script changes. Scripts are numbered; 0 is none, a space or what the table lacks.
// Hiragana and Katakana count as Han. The table is sentencepiece's, of Unicode 8.

import type { Pattern } from "./pattern-cursor.ts";

/** Ranges: the distance from the end of the range before, "+length - 1", ":script", all in base 36. */
const RANGES =
  "0+v:1 2+v:1 1+p:3 1+5:1 1+p:3 1+1a:1 1:3 1+e:1 1:3 1+4:1 1+m:3 1:1 1+u:3 1:1 1+cg:3 1+12:1 1+4:3 1+4:1 1+1:y 1+j:1 1+33:13 1+3:4 1:1 1+2:4 3+3:4 1:1 1:4 5:4 1:1 1:4 1:1 1+2:4 2:4 2+j:4 2+1q:4 1+d:1h 1+f:4 1+3o:5 1+1:13 1+4o:5 2+11:6 3+6:6 2+12:6 2:1 1:6 3+2:6 2+1i:7 9+q:7 6+4:7 c+4:8 1:1 1+5:8 1:1 1+d:8 1+1:1 2:8 1:1 1+v:8 1:1 1+9:8 1+a:13 1+p:8 1:13 1+2z:8 1:1 1+x:8 1+d:9 2+1n:9 3+2:9 1+1b:8 1+1d:a f+1m:1s 6+19:28 3+e:28 2+r:2l 3:2l 1u+k:8 2+7:8 n+d:8 1:1 1+s:8 1+28:b 1+1:13 1+g:b 1+1:1 1+p:b 1+3:c 2+7:c 3+1:c 3+l:c 2+6:c 2:c 4+3:c 3+8:c 3+1:c 3+3:c 9:c 5+1:c 2+4:c 3+l:c 6+2:d 2+5:d 5+1:d 3+l:d 2+6:d 2+1:d 2+1:d 2+1:d 3:d 2+4:d 5+1:d 3+2:d 4:d 8+3:d 2:d 8+f:d c+2:e 2+8:e 2+2:e 2+l:e 2+6:e 2+1:e 2+4:e 3+9:e 2+2:e 2+2:e 3:e g+3:e 3+b:e 8:e 8+2:f 2+7:f 3+1:f 3+l:f 2+6:f 2+1:f 2+4:f 3+8:f 3+1:f 3+2:f 9+1:f 5+1:f 2+4:f 3+h:f b+1:g 2+5:g 4+2:g 2+3:g 4+1:g 2:g 2+1:g 4+1:g 4+2:g 4+b:g 5+4:g 4+2:g 2+3:g 3:g 7:g f+k:g 6+3:h 2+7:h 2+2:h 2+m:h 2+f:h 4+7:h 2+2:h 2+3:h 8+1:h 2+2:h 6+3:h 3+9:h 9+7:h 1+3:i 2+7:i 2+2:i 2+m:i 2+9:i 2+4:i 3+8:i 2+2:i 2+3:i 8+1:i 8:i 2+3:i 3+9:i 2+1:i f+2:j 2+7:j 2+2:j 2+14:j 3+7:j 2+2:j 2+5:j 5+f:j 3+p:j 3+1:k 2+h:k 4+n:k 2+8:k 2:k 3+6:k 4:k 5+5:k 2:k 2+7:k 7+9:k 3+2:k d+1l:l 5:1 1+r:l 12+1:m 2:m 3+1:m 2:m 3:m 7+3:m 2+6:m 2+2:m 2:m 2:m 3+1:m 2+c:m 2+2:m 3+4:m 2:m 2+5:m 3+9:m 3+3:m x+1z:n 2+z:n 5+12:n 2+z:n 2+e:n 2+6:n 1+3:1 1+1:n 12+4f:o 1+11:p 2:p 6:p 3+16:p 1:1 1+3:p 1+73:q 1+20:r 2+3:r 3+6:r 2:r 2+3:r 3+14:r 2+3:r 3+w:r 2+3:r 3+6:r 2:r 2+3:r 3+e:r 2+1k:r 2+3:r 3+1u:r 3+v:r 4+p:r 7+2d:s 3+5:s 3+hr:t 1+s:u 4+22:v 1+2:1 1+a:v 8+c:14 2+6:14 c+k:15 1+1:1 a+j:16 d+c:17 2+2:17 2+1:17 d+2l:w 3+9:w 7+9:w 7+1:x 1+1:1 1:x 1:1 1+8:x 2+9:x 7+2f:x 9+16:x 6+1x:t b+u:18 2+b:18 5+b:18 5:18 4+b:18 1+t:19 3+4:19 c+17:1i 5+p:1i 7+a:1i 4+1:1i 1+v:w 1+r:1g 3+1:1g 1+1q:24 2+s:24 3+a:24 7+9:24 7+d:24 3+e:13 1u+23:1o 5+18:1o 4+1r:1t 1+1f:2j 9+3:2j 1+1j:1u 4+e:1u 4+2:1u 1+1b:1v 1+8:5 1k+7:1t 9+2:13 1:1 1+c:13 1:1 1+6:13 1+3:1 1:13 1+5:1 1:13 1+1:1 2+1:13 7+11:3 1+4:4 1:5 1+1c:3 1+4:4 1+3:3 1+4:4 1+c:3 1:5 1+1x:3 1:4 1+1h:13 6+4:13 1+73:3 1+l:4 3+5:4 3+11:4 3+5:4 3+7:4 2:4 2:4 2:4 2+u:4 3+1g:4 2+e:4 2+d:4 3+5:4 2+i:4 3+2:4 2+8:4 2+b:1 1+1:13 1+2e:1 2+a:1 1:3 3+a:1 1:3 1+e:1 2+c:3 4+u:1 i+w:13 g+11:1 1:4 1+2:1 1+1:3 1+5:1 1:3 1+q:1 1:3 1+g:1 1+14:3 1+2:1 5+ha:1 2+12:1 q+a:1 m+pr:1 1+73:1f 1+hf:1 3+v:1 3+x:1 4+b:1 2+7:1 r+3:1 h+1a:1j 2+1a:1j 2+v:3 1+37:1h 6+6:1h 1+11:p 2:p 6:p 3+1j:1k 8+1:1k f:1k 1+m:r a+6:r 2+6:r 2+6:r 2+6:r 2+6:r 2+6:r 2+6:r 2+6:r 2+v:5 1+1w:1 1o+p:2 2+2g:2 d+5x:2 r+b:1 5+4:1 1:2 1:1 1:2 1+o:1 1+8:2 1+3:13 1+1:q 1+7:1 1+3:2 1+3:1 2+2d:2 3+1:13 1+1:1 1+2:2 1:1 1+2h:2 1:1 1+3:2 6+14:y 4+2l:q 2+f:1 1+q:y 6+z:1 d+f:2 1+u:q 2+1r:1 1+u:q 1+28:1 1+1a:2 2+2f:2 1+4n:1 1+52t:2 b+1r:1 1+g5x:2 17+wc:z 4+1i:z a+1b:29 1+8b:1w l+2n:5 1+2f:2a 9+x:1 1+2t:3 1+2:1 1+z:3 2+7:3 1s+8:3 1+17:1l 5+9:1 7+1j:1r 9+1x:1x 9+b:1x 7+t:b 3+19:1y 1:1 1:1y 1+z:1z c:1z 1+s:q 4+25:2b 2:1 1+9:2b 5+1:2b 1+u:o 2+1i:23 a+d:23 3+9:23 3+3:23 1+v:o 1+1u:25 p+4:25 1+m:2c b+5:r 3+5:r 3+5:r a+6:r 2+6:r 2+16:3 1:1 1+8:3 1:4 b+27:s 1+19:2c 3+9:2c 7+8mb:q d+m:q 5+1c:q 6it+a5:2 3+2x:2 13+6:3 d+4:6 6+p:7 2+4:7 2:7 2+1:7 2+1:7 2+9:7 1+35:8 i+a2:8 1+1:1 h+1r:8 3+1h:8 15+d:8 3+f:13 1+9:1 7+d:13 1+1:5 1+y:1 2+i:1 2+3:1 5+4:8 2+3q:8 3:1 2+v:1 1+p:3 1+5:1 1+p:3 1+a:1 1+9:2 1:1 1+18:2 1+1:1 1+u:q 4+5:q 3+5:q 3+5:q 3+2:q 4+6:1 2+6:1 b+4:1 3+b:1a 2+p:1a 2+i:1a 2+1:1a 2+e:1a 3+d:1a z+3e:1a 6+2:1 5+18:1 4+8:1 1+26:4 2+b:1 5:4 1c+18:1 1:13 3n+s:20 4+1c:21 g:13 1+q:1 5+z:10 d+q:11 6+16:3a 6+t:1b 2:1b 1+z:1m 5+d:1m 17+27:12 1+1b:1c 1+t:1d 3+9:1d 7+z:3q 5+z:3q 5+13:2w 9+1f:2t c:2t 41+8m:30 a+l:30 b+7:30 49+5:1e 3:1e 2+17:1e 2+1:1e 4:1e 3:1e 1+l:2d 2+8:2d 1+v:38 1+u:37 9+8:37 1d+i:3i 2+1:3i 6+4:3i 1+r:1q 4:1q 1+p:22 6:22 1t+v:2o 1+n:2n 5+j:2n 3+19:2n 1+3:1n 2+1:1n 6+7:1n 2+2:1n 2+q:1n 5+2:1n 5+8:1n 9+8:1n 8+v:2e 1+v:36 x+12:32 5+b:32 a+1h:26 4+6:26 1+l:2f 3+7:2f 1+i:2g 6+7:2g 1+h:3b 8+3:3b d+6:3b 29+20:2h 1k+1e:3k e+1e:3k 8+5:3k 9t+u:8 aq+25:2k 5+t:2k g:2k 1+1t:2i f+o:2r 8+9:2r 7+1g:2m 2+d:2m d+12:31 a+25:2q 3+f:2q 2+j:k c+h:2z 2+17:2z 1u+6:3j 2:3j 2+3:3j 2+e:3j 2+a:3j 7+1m:3d 6+9:3d 7+3:2x 2+7:2x 3+1:2x 3+l:2x 2+6:2x 2+1:2x 2+4:2x 3+8:2x 3+1:2x 3+2:2x 3:2x 7:2x 6+6:2x 3+6:2x 4+4:2x 3w+2h:3p 2:3p 2:3p z+1z:3e 9+9:3e 4n+1h:3c 3+11:3c z+1w:34 c+9:34 7+c:x k+1j:2s 9+9:2s 1j+p:3g 4+e:3g 5+f:3g 9t+2a:3f d:3f ch+1k:39 7c+8:3n 2+18:3n 2+d:3n b+s:3n 4+v:3o 3+l:3o 2+d:3o ne+pl:1p 2v+32:1p 2+4:1p c+5f:1p 24d+tq:27 34i+g6:3h 6nu+fs:2a 8+u:35 2+9:35 5+1:35 2p+t:2u 3+5:2u b+1x:2y b+9:2y 2+6:2y 2+k:2y 6+i:2y oh+1w:2p c+1a:2p h+g:2p 1t:3r w+4q4:3r k+ky:3r 7bi+1:2 2db+2y:2v 6+c:2v 4+8:2v 8+9:2v 3+3:2v 1+3:1 3tp+6t:1 b+12:1 3+1p:1 1+2:13 1+g:1 1+7:13 1+1:1 1+6:13 1+t:1 1+3:13 1+1m:1 o+1x:4 57+2e:1 a+h:1 3z+2c:1 2+1y:1 2+1:1 3:1 3+1:1 3+3:1 2+b:1 2:1 2+6:1 2+1s:1 2+3:1 3+7:1 2+6:1 2+r:1 2+3:1 2+4:1 2:1 4+6:1 2+9f:1 3+83:1 3+1d:1 1+i3:3l g+4:3l 2+e:3l 11t+6:1j 2+g:1j 3+6:1j 2+1:1j 2+4:1j 1jq+5g:33 3+f:33 16+22:3m 6+9:3m 5+1:3m wx+3:8 2+q:8 2+1:8 2:8 3:8 2+9:8 2+3:8 2:8 2:8 7:8 5:8 2:8 2:8 2+2:8 2+1:8 2:8 3:8 2:8 2:8 2:8 2:8 2+1:8 2:8 3+3:8 2+6:8 2+3:8 2+3:8 2:8 2+9:8 2+g:8 6+2:8 2+4:8 2+g:8 1h+1:8 7j+17:1 5+2r:1 d+e:1 3+e:1 2+e:1 2+10:1 b+c:1 4+u:1 2+1n:1 5+1o:1 1m+p:1 1:2 1+1:1 e+17:1 5+8:1 8+1:1 4v+r6:1 e+c:1 4+6:1 a+37:1 d+2c:1 18+b:1 5+1j:1 9+9:1 7+13:1 9+t:1 2r+e:1 2+7:1 9:1 3+b:1 2+b:1 5+e:1 y+h:1 1b:1 18g+wye:2 16+378:2 c+65:2 3+4g1:2 867+f1:2 fhes:1 v+2n:1 3l+6n:13";

interface ScriptRange {
  readonly begin: number;
  readonly end: number;
  readonly script: number;
}

const ranges: readonly ScriptRange[] = (() => {
  let last = 0;
  return RANGES.split(" ").map((item) => {
    const [, gap = "0", more = "0", script = "0"] = /^(\w+)(?:\+(\w+))?:(\w+)$/.exec(item) ?? [];
    const begin = last + Number.parseInt(gap, 36);
    last = begin + Number.parseInt(more, 36);
    return { begin, end: last, script: Number.parseInt(script, 36) };
  });
})();

function scriptOf(codePoint: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.end < codePoint) low = middle + 1;
    else high = middle;
  }
  const found = ranges[low];
  return found && found.begin <= codePoint ? found.script : 0;
}

/** Characters that are looked at at a time. */
const CHARACTERS_AT_ONCE = 1 << 16;

/**
 * Runs of a script: a text is cut where the script changes, and what has none goes with what is before it. What has none at the very
 * beginning is in no run.
 */
export const SCRIPTS: Pattern = {
  find(text, cursor, budget, spans) {
    const most = spans.length + 2 * budget;
    // `steps` is how far the run that begins at the cursor has been followed.
    let at = Math.max(cursor.at, cursor.steps ?? 0);
    const stop = at + CHARACTERS_AT_ONCE;
    let last = cursor.steps === undefined ? -1 : (cursor.lastScript ?? -1);
    let isInRun = cursor.isInRun ?? false;
    while (at < text.length && spans.length < most && at < stop) {
      const codePoint = text.codePointAt(at)!;
      const script = scriptOf(codePoint);
      if (script !== 0 && last !== 0 && last !== script) {
        if (isInRun) spans.push(cursor.at, at);
        isInRun = true;
        cursor.at = at;
      }
      if (script !== 0) last = script;
      at += codePoint > 0xffff ? 2 : 1;
    }
    const isOver = at >= text.length;
    if (isOver && isInRun) spans.push(cursor.at, text.length);
    Object.assign(cursor, { steps: at, lastScript: last, isInRun });
    return isOver;
  },
};
