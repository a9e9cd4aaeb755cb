// Python's `datetime.now().strftime(format)` as glibc prints it in the C locale: English names whatever the locale is.

import { spendText } from "./limits.ts";
import { refuse } from "./template-error.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January", "February", "March", "April", "May", "June",
  "July", "August", "September", "October", "November", "December",
]; // prettier-ignore

/** What a conversion gives: a text, or a number with the width and fill that it has by default. */
type Part = string | { readonly value: number; readonly width: number; readonly fill: string };

/** A local date and time in the format of `strftime`; microseconds end in 000, as JavaScript's clock counts milliseconds. */
export function formatTime(format: string, date: Date): string {
  const result = format.replace(
    /%([-_0^#]*)(\d*)([EO]?)([^]|$)/gu,
    (all, flags: string, width: string, modifier: string, type: string) => {
      if (type === "%" && flags + width + modifier === "") return "%";
      const part = partOf(type, date);
      if (part === undefined) return refuse(`the conversion "${all}" of strftime_now`);
      const flag = [...flags].findLast((one) => "-_0".includes(one));
      let text: string;
      if (typeof part === "string") {
        text = part.padStart(Math.min(1024, Number(width)), flag === "0" ? "0" : " ");
      } else {
        const fill = flag === "_" ? " " : flag === "0" ? "0" : part.fill;
        const size = Math.min(1024, width === "" ? part.width : Number(width));
        text = flag === "-" ? `${part.value}` : `${part.value}`.padStart(size, fill);
      }
      if (flags.includes("^")) return text.toUpperCase();
      if (!flags.includes("#")) return text;
      return type === "p" || type === "Z" ? text.toLowerCase() : text.toUpperCase();
    },
  );
  spendText(result.length);
  return result;
}

const number = (value: number, width = 2, fill = "0"): Part => ({ value, width, fill });

function partOf(type: string, date: Date): Part | undefined {
  const year = date.getFullYear();
  const hour = date.getHours();
  const day = date.getDay();
  const all = (format: string): string => formatTime(format, date);
  switch (type) {
    case "a":
      return DAYS[day]!.slice(0, 3);
    case "A":
      return DAYS[day];
    case "b":
    case "h":
      return MONTHS[date.getMonth()]!.slice(0, 3);
    case "B":
      return MONTHS[date.getMonth()];
    case "c":
      return all("%a %b %e %H:%M:%S %Y");
    case "C":
      return number(Math.floor(year / 100));
    case "d":
      return number(date.getDate());
    case "D":
    case "x":
      return all("%m/%d/%y");
    case "e":
      return number(date.getDate(), 2, " ");
    case "f":
      return String(date.getMilliseconds()).padStart(3, "0") + "000";
    case "F":
      return all("%Y-%m-%d");
    case "g":
      return number(isoWeek(date).year % 100);
    case "G":
      return number(isoWeek(date).year, 1);
    case "H":
      return number(hour);
    case "I":
      return number(hour % 12 || 12);
    case "j":
      return number(dayOfYear(date) + 1, 3);
    case "k":
      return number(hour, 2, " ");
    case "l":
      return number(hour % 12 || 12, 2, " ");
    case "m":
      return number(date.getMonth() + 1);
    case "M":
      return number(date.getMinutes());
    case "n":
      return "\n";
    case "p":
      return hour < 12 ? "AM" : "PM";
    case "P":
      return hour < 12 ? "am" : "pm";
    case "r":
      return all("%I:%M:%S %p");
    case "R":
      return all("%H:%M");
    case "s":
      return number(Math.floor(date.getTime() / 1000), 1);
    case "S":
      return number(date.getSeconds());
    case "t":
      return "\t";
    case "T":
    case "X":
      return all("%H:%M:%S");
    case "u":
      return number(day || 7, 1);
    case "U":
      return number(Math.floor((dayOfYear(date) + 7 - day) / 7));
    case "V":
      return number(isoWeek(date).week);
    case "w":
      return number(day, 1);
    case "W":
      return number(Math.floor((dayOfYear(date) + 7 - ((day + 6) % 7)) / 7));
    case "y":
      return number(year % 100);
    case "Y":
      return number(year, 1);
    // A time without a zone prints none.
    case "z":
    case "Z":
      return "";
    default:
      return undefined;
  }
}

/** 0 is the first of January. */
function dayOfYear(date: Date): number {
  const day = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((day - Date.UTC(date.getFullYear(), 0, 1)) / 86_400_000);
}

/** The week of ISO 8601: it belongs to the year that its Thursday is in. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() + 4 - (date.getDay() || 7));
  return { year: thursday.getFullYear(), week: 1 + Math.floor(dayOfYear(thursday) / 7) };
}
