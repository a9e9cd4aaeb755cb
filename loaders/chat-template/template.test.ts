import { describe, expect, it } from "vitest";
import { MAX_CALL_DEPTH } from "./limits.ts";
import { TemplateError } from "./template-error.ts";
import { compileTemplate } from "./template.ts";
import vectors from "./vectors.json" with { type: "json" };

const render = (template: string, variables: Record<string, unknown> = {}): string =>
  compileTemplate(template).render(variables);

// vectors.json: what jinja2 3.1.6 prints with the compiler of transformers 5.24; null where it refuses.
describe("templates print what jinja2 prints", () => {
  const variables = { ...vectors.variables, big: 12345678901234567890n };
  it.each(vectors.cases as [string, string | null][])("%s", (template, text) => {
    if (text === null) expect(() => render(template, variables)).toThrow(TemplateError);
    else expect(render(template, variables)).toBe(text);
  });

  it.each<[template: string, text: string]>([
    ["{% for m in [1] %}{% set x = m %}{% endfor %}[{{ x }}]", "[]"],
    ["{% set x = 0 %}{% for m in [1,2] %}{{ x }}{% set x = m %}{{ x }}{% endfor %}{{ x }}", "01020"],
    ["{% for i in [1] %}[{{ given }}]{% endfor %}{% set given = 1 %}{{ given }}", "[]1"],
    ["{% for i in [1] %}[{{ given }}]{% endfor %}{% if true %}{% set given = 1 %}{% endif %}{{ given }}", "[G]1"],
    ["{% macro f() %}{{ later }}{% endmacro %}{% set later = 5 %}{{ f() }}", "5"],
    [
      "{% for x in [1,2,3] recursive %}{{ x }}{{ loop([7, [8]][1]) if x == 2 }}{{ loop.depth }};{% endfor %}",
      "11;282;1;31;",
    ],
    ["{% for x in [] %}a{% else %}b{% endfor %}", "b"],
    ["{% for x in [1,2,3] if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}", "1/2:2 2/2:3 "],
    ["{% for a, b in [['a', 1], ['b', 2]] if b > 1 %}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}", ""],
    [
      "{% for a, b in [['a', 1], ['b', 2]] if b %}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}",
      "('b', 2) ('a', 1) ",
    ],
    ["{% set x = [1,2]|map('string') %}{{ x|list }}{{ x|list }}", "['1', '2'][]"],
    ["a\r\n{%- if true %}\r\n b\r\n{%- endif %}\r\n", "a b"],
    ["{%- raw -%} {{ x }} {%- endraw -%} y", "{{ x }}y"],
    ["{{ '\\u00e9\\x41\\q\\101' }}", "\u00e9A\\qA"],
    ["{% generation %}{% set x = 1 %}hi{% endgeneration %}{{ x }}", "hi"],
    [
      "{{ {'items': 1}.items is defined }} {{ {'items': 1}['items'] }} {{ {'items': 1}.items()|list }}",
      "True 1 [('items', 1)]",
    ],
    ["{{ [] .append is defined }} {{ ''.__class__ is defined }}[{{ ''.__class__ }}]", "False False[]"],
    [
      "{{ 0.1 + 0.2 }} {{ 1e16 }} {{ 1e15 }} {{ 123456789012345680.0 }} {{ 1.0e-5 }} {{ 7 // 2.0 }}",
      "0.30000000000000004 1e+16 1000000000000000.0 1.2345678901234568e+17 1e-05 3.0",
    ],
    [
      "{{ 2.5|round }} {{ 0.125|round(2) }} {{ '%.0f' % 0.5 }} {{ '%.2f' % 2.675 }} {{ 1e22|int }}",
      "2.0 0.12 0 2.67 10000000000000000000000",
    ],
    ["{{ '<a>'|safe + '<b>' }} {{ '<a>'|e }} {{ ['<']|map('e')|list }}", "<a>&lt;b&gt; &lt;a&gt; [Markup('&lt;')]"],
    ["{{ '\u01c6ab \ufb01n'.title() }} {{ '\u00df'.upper() }} {{ 'A\u03a3'.lower() }}", "\u01c5ab Fin SS a\u03c2"],
    [
      "{{ '\ud83d\ude00x'[::-1] }} {{ 'a\ud83d\ude00'|length }} {{ '\ud83d\ude00'.center(5, '-') }}",
      "x\ud83d\ude00 2 --\ud83d\ude00--",
    ],
  ])("%s (by hand)", (template, text) => expect(render(template, { given: "G" })).toBe(text));

  it("keeps ints and floats apart where JavaScript can say which it is", () => {
    expect(render("{{ [a, b, c, d, e] }}", { a: 1, b: Object(1), c: 1e20, d: 10n ** 20n, e: -0 })).toBe(
      "[1, 1.0, 1e+20, 100000000000000000000, -0.0]",
    );
  });

  it("leaves out members that are undefined, and takes Maps as mappings", () => {
    expect(render("{{ m }}{{ n }}", { m: { a: undefined, b: null }, n: new Map([[1, "x"]]) })).toBe(
      "{'b': None}{1: 'x'}",
    );
    expect(() => render("{{ m }}", { m: new Date(0) })).toThrow('the variable "m" has a Date');
    const endless: unknown[] = [];
    endless.push(endless);
    expect(() => render("{{ m }}", { m: endless })).toThrow("nested more than 100 levels deep");
  });
});

const now = (): Date => new Date(2024, 11, 30, 9, 5, 7, 42);

describe("dates", () => {
  it.each([
    ["%A, %d %B %Y", "Monday, 30 December 2024"],
    ["%a %b %-d %e %j %-j %y %G-W%V-%u %g", "Mon Dec 30 30 365 365 24 2025-W01-1 25"],
    ["%H:%M:%S %I %l %k %-H %p %P %f", "09:05:07 09  9  9 9 AM am 042000"],
    [
      "%F %T %D %R %c %x %X %r",
      "2024-12-30 09:05:07 12/30/24 09:05 Mon Dec 30 09:05:07 2024 12/30/24 09:05:07 09:05:07 AM",
    ],
    ["%U %W %w %C %h %n%t%% %z%Z", "52 53 1 20 Dec \n\t% "],
    ["%^a %#p %_m %03d %^B", "MON am 12 030 DECEMBER"],
  ])("%s", (format, text) => {
    expect(compileTemplate("{{ strftime_now(f) }}", { now }).render({ f: format })).toBe(text);
  });
  it("refuses conversions that it does not have", () => {
    expect(() => compileTemplate("{{ strftime_now('%Q') }}").render({})).toThrow(
      'the conversion "%Q" of strftime_now is not supported',
    );
  });
});

describe("templates that are wrong", () => {
  it.each<[template: string, message: string, line: number]>([
    ["{% if %}", "stands where an expression is needed", 1],
    ["\n{{ a b }}", '"b" stands where "}}" is needed', 2],
    ["{% for x in y %}\n", 'the template ends where "endfor" or "else" is needed', 1],
    ["{{ 'a }}", `"'" is not expected`, 1],
    ["{{ (1] }}", '"]" stands where ")" is needed', 1],
    ["{# a", 'a comment has no "#}"', 1],
    ["a\n{% nothing %}", 'there is no statement "nothing"', 2],
    ["{{ x | nothing }}", 'there is no filter "nothing"', 1],
    ["{% break %}", '"break" stands outside of loops', 1],
    ["{% include 'a' %}", 'the statement "include" is not supported', 1],
    ["x\n\n{{ raise_exception('roles must alternate') }}", "roles must alternate", 3],
    ["{{ a.b.c }}", "'a' is not defined", 1],
    ["{{ messages.nope.role }}", "a list has no attribute 'nope'", 1],
    ["{{ 'a' + 1 }}", '"+" does not work on a str and a int', 1],
    ["{{ [].append(1) }}", '"append" of a list is not allowed in templates', 1],
    ["{{ [1]|random }}", 'the filter "random" is not supported', 1],
    ["{{ lipsum() }}", "is not supported", 1],
    ["{{ messages.append }}{{ ''.upper }}", "prints an address in memory, is not supported", 1],
    ["{% set x.y = 1 %}", '"x" is no namespace', 1],
    ["{{ [1]|tojson(indent=[]) }}", '"tojson" takes a number or a text as indent', 1],
  ])("%s", (template, message, line) => {
    let error: unknown;
    try {
      render(template, { messages: [] });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TemplateError);
    expect((error as TemplateError).message).toContain(message);
    expect((error as TemplateError).line).toBe(line);
  });
});

describe("templates that never end, or explode, are stopped", () => {
  const loops = "{% for a in range(99999) %}{% for b in range(99999) %}";
  it.each([
    ["loops in loops", `${loops}{{ a }}{% endfor %}{% endfor %}`, "it does not end"],
    ["loops that print nothing", `${loops}{% set x = a * b %}{% endfor %}{% endfor %}`, "it does not end"],
    [
      "a text that doubles",
      "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
      "makes a text of",
    ],
    [
      "a list that doubles",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "makes a list of",
    ],
    ["much output", "{% for i in range(99999) %}{{ 'abcdefgh' * 1000 }}{% endfor %}", "makes a text of"],
    ["repetition", "{{ 'ab' * 10 ** 12 }}", "makes a text of"],
    ["powers of powers", "{{ 9 ** 9 ** 9 ** 9 ** 9 ** 9 }}", "makes an integer of more than"],
    ["a long range", "{{ range(100001)|list }}", "at most 100000 are allowed"],
    [
      "a macro that calls itself",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      `more than ${MAX_CALL_DEPTH} levels deep`,
    ],
    [
      "a loop that calls itself",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      `more than ${MAX_CALL_DEPTH} levels deep`,
    ],
    ["wide texts", "{{ 'a'|center(10 ** 12) }}", "makes a text of"],
    ["wide numbers", "{{ '%1000000000d' % 1 }}", "has a width of more than"],
    ["nested brackets", `{{ ${"[".repeat(5000)}${"]".repeat(5000)} }}`, "nested more than 100 levels deep"],
    ["a long sum", `{{ ${"1 + ".repeat(100_000)}1 }}`, "nested too deep"],
    ["searches", "{{ ('a' * 3999999).count('a' * 9999 ~ 'b') }}", "takes too long"],
    ["a long template", "a".repeat((1 << 20) + 1), "at most 1048576 were expected"],
  ])("%s", (_name, template, message) => {
    const begin = performance.now();
    expect(() => render(template)).toThrow(message);
    expect(performance.now() - begin).toBeLessThan(10_000);
  });

  it("leaves a long chat alone", () => {
    const messages = Array.from({ length: 2000 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: "word ".repeat(200),
    }));
    const text = render("{% for m in messages %}{{ m.role ~ ': ' ~ m.content | trim }}\n{% endfor %}", { messages });
    expect(text.length).toBeGreaterThan(2_000_000);
  });
});

/** Renders a template to its end, or until it is stopped for its size or time. */
function renderOrStop(template: string): void {
  try {
    render(template);
  } catch (error) {
    expect((error as Error).message).toMatch(/it makes a text of|it does not end/);
  }
}

describe("what takes long for each character, or grows within one step, ends in time", () => {
  it.each([
    "{{ ('a ' * 2000000) | title }}",
    "{{ ('a ' * 2000000).title() }}",
    "{{ ('a ' * 2000000) | wordwrap(1) }}",
    "{{ ('http://a.b ' * 350000) | urlize }}",
    "{{ ('&' * 1000000) | e | e }}",
    "{{ ('\u4e00' * 1000000) | urlencode }}",
    "{{ 'x' * 10 ** 9 }}",
    "{{ ('ab' * 2000000).replace('a', 'b' * 1000) }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
  ])("%s", (template) => {
    const begin = process.cpuUsage();
    renderOrStop(template); // a fast machine comes to the end of some
    const { user } = process.cpuUsage(begin);
    expect(user / 1000).toBeLessThan(3000);
  });
});
