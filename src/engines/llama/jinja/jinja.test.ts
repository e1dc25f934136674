import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BudgetSpent, Jinja, Raised, TemplateError } from './index.ts'

const limits = { steps: 1_000_000, millis: 1000, bytes: 32 * 1024 * 1024, depth: 200 }
const clock = { now: () => performance.now(), cpu: () => performance.now(), date: () => new Date(2026, 0, 2, 13, 4, 5) }
const rendered = (source: string, variables: Record<string, unknown> = {}) =>
  new Jinja(source).render(variables, limits, clock)

const variables = {
  name: 'Ann',
  n: 3,
  x: 2.5,
  zero: 0,
  empty: '',
  list: [3, 1, 2],
  words: ['b', 'A', 'c'],
  dict: { b: 1, a: 2 },
  nested: { a: [{ k: 1 }, { k: 2 }], items: [1] },
  text: '  a-b \n',
  yes: true,
  no: false,
  nothing: null,
  emoji: 'a😀b',
  people: [
    { name: 'Bo', age: 3 },
    { name: 'al', age: 1 },
  ],
  quote: 'it\'s "x"',
  tail: 'x</think>\n\nanswer\n',
}

/** Each with what Jinja 3.1.6 renders, set up as the transformers library does. */
const samples: readonly (readonly [name: string, rows: readonly (readonly [source: string, text: string])[]])[] = [
  [
    'prints as Python does',
    [
      ['{{ yes }} {{ no }} {{ nothing }} {{ missing }}|', 'True False None |'],
      [
        '{{ x }} {{ n }} {{ 4 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 3 }} {{ 1.0 }}',
        '2.5 3 2.0 3 -4 2 8 1.0',
      ],
      [
        '{{ list }} {{ dict }} {{ words }} {{ [yes, nothing, quote] }}',
        "[3, 1, 2] {'b': 1, 'a': 2} ['b', 'A', 'c'] [True, None, 'it\\'s \"x\"']",
      ],
      ['{{ nested }}', "{'a': [{'k': 1}, {'k': 2}], 'items': [1]}"],
      ['{{ (1, 2)|list }}', '[1, 2]'],
      ["{{ 'a' 'b' }}", 'ab'],
      ['{{ 3.0 * 2 }} {{ 1 + 1.5 }} {{ 10 / 4 }} {{ 1.5 + 1.5 }}', '6.0 2.5 2.5 3.0'],
      ['{{ 100000000000 * 100000 }} {{ 0.00001 }}', '10000000000000000 1e-05'],
    ],
  ],
  [
    'compares as Python does',
    [
      [
        "{{ 0 == '' }} {{ nothing == missing }} {{ [1] == [1] }} {{ 1 == 1.0 }} {{ yes == 1 }} {{ 'a' < 'b' }} {{ dict == {'a': 2, 'b': 1} }}",
        'False False True True True True True',
      ],
      [
        "{{ 'a' in 'cat' }} {{ 2 in list }} {{ 'a' in dict }} {{ 5 not in list }} {{ [1] in [[1]] }} {{ 'x' in missing }}",
        'True True True True True False',
      ],
      ["{{ not missing }} {{ [] or 'x' }} {{ '' or nothing }} {{ 1 and 2 }} {{ {} and 1 }}", 'True x None 2 {}'],
      ["{{ 'a' if yes else 'b' }} {{ 'a' if no }}|", 'a |'],
    ],
  ],
  [
    'joins texts',
    [
      ["{{ missing ~ 'a' }}{{ nothing ~ 1 }}{{ yes ~ x }}", 'aNone1True2.5'],
      ["{{ 'ab' * 3 }} {{ [1] * 2 }}", 'ababab [1, 1]'],
      [
        "{{ '%s is %d %s' % ('a', 3, list) }} {{ 'x: %s' % name }} {{ '%d%% of %s' % (50, name) }}",
        'a is 3 [3, 1, 2] x: Ann 50% of Ann',
      ],
      ["{{ '{} of {name} {{x}}'.format(1, name='n') }} {{ '{1}{0}'.format('a', 'b') }}", '1 of n {x} ba'],
      ["{{ '%s-%s'|format('a', 1) }}", 'a-1'],
    ],
  ],
  [
    'slices',
    [
      [
        "{{ list[0] }}{{ list[-1] }}{{ list[9] }} {{ list[1:] }} {{ list[:-1] }} {{ list[::-1] }} {{ 'hello'[1:3] }} {{ 'hello'[::-1] }} {{ 'hello'[::2] }} {{ list[5:] }} {{ list[-2:] }}",
        '32 [1, 2] [3, 1] [2, 1, 3] el olleh hlo [] [1, 2]',
      ],
      ['{{ emoji[1] }} {{ emoji[1:] }} {{ emoji|length }}', '😀 😀b 3'],
    ],
  ],
  [
    'has Python’s texts',
    [
      [
        "[{{ text.strip() }}] [{{ text.lstrip() }}] [{{ text.rstrip() }}] [{{ 'xxaxx'.strip('x') }}] [{{ '\\n\\n  a'.lstrip('\\n') }}] [{{ 'abcab'.rstrip('ab') }}]",
        '[a-b] [a-b \n] [  a-b] [a] [  a] [abc]',
      ],
      [
        "{{ tail.split('</think>')[-1].lstrip('\\n') }}|{{ tail.split('</think>', 1) }}|{{ ' a  b '.split() }}|{{ ' a  b c'.split(none, 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}",
        "answer\n|['x', '\\n\\nanswer\\n']|['a', 'b']|['a', 'b c']|['a,b', 'c']",
      ],
      ["{{ 'a\\nb\\n'.splitlines() }} {{ 'a\\nb'.splitlines(true) }}", "['a', 'b'] ['a\\n', 'b']"],
      [
        "{{ 'banana'.replace('a', 'o') }} {{ 'banana'.replace('a', 'o', 2) }} {{ 'ab'.replace('', '-') }}",
        'bonono bonona -a-b-',
      ],
      [
        "{{ name.upper() }}{{ name.lower() }} {{ 'they said Hi'.title() }} {{ 'hELLO wORLD'.capitalize() }}",
        'ANNann They Said Hi Hello world',
      ],
      ["{{ name.startswith('A') }} {{ name.startswith(('x', 'A')) }} {{ name.endswith('n') }}", 'True True True'],
      [
        "{{ 'banana'.find('an') }} {{ 'banana'.rfind('an') }} {{ 'x'.find('y') }} {{ 'banana'.count('an') }}",
        '1 3 -1 2',
      ],
      [
        "{{ ', '.join(words) }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a'.zfill(3) }}{{ 'a'.ljust(3) }}|",
        'b, A, c True False True 00aa  |',
      ],
      [
        "{{ 'prefix-a'.removeprefix('prefix-') }} {{ 'a.txt'.removesuffix('.txt') }} {{ 'a=b=c'.partition('=') | list }} {{ 'a=b=c'.rpartition('=') | list }}",
        "a a ['a', '=', 'b=c'] ['a=b', '=', 'c']",
      ],
    ],
  ],
  [
    'has Python’s dicts and lists',
    [
      [
        "{{ dict.get('a') }} {{ dict.get('z') }} {{ dict.get('z', 5) }} {{ dict['a'] }} {{ dict.b }} {{ dict.z }}|",
        '2 None 5 2 1 |',
      ],
      [
        '{% for k, v in dict.items() %}{{ k }}={{ v }};{% endfor %} {{ dict.keys()|list }} {{ dict.values()|list }}',
        "b=1;a=2; ['b', 'a'] [1, 2]",
      ],
      ["{{ nested['items'] }} {{ nested.items is callable }} {{ nested.a[1].k }}", '[1] True 2'],
      ['{% set l = [] %}{% set _ = l.append(1) %}{{ l }} {{ l.pop() }} {{ l }}', '[1] 1 []'],
      ["{% set d = {1: 'one', 'k': 2} %}{{ d[1] }} {{ d }}", "one {1: 'one', 'k': 2}"],
      [
        "{% set d = dict.copy() %}{% set _ = d.update({'c': 3}) %}{{ d }} {{ d.pop('c') }} {{ dict }}",
        "{'b': 1, 'a': 2, 'c': 3} 3 {'b': 1, 'a': 2}",
      ],
    ],
  ],
  [
    'filters',
    [
      [
        '{{ missing|length }} {{ list|length }} {{ dict|count }} {{ missing|trim }}|{{ nothing|string }} {{ dict|string }} {{ x|string }}',
        "0 3 2 |None {'b': 1, 'a': 2} 2.5",
      ],
      [
        "{{ missing|default('d') }} {{ ''|default('d') }} {{ ''|default('d', true) }} {{ nothing|d('e', boolean=true) }} {{ no|default('x') }}",
        'd  d e False',
      ],
      [
        "{{ list|first }} {{ list|last }} {{ 'abc'|first }} {{ list|sort }} {{ words|sort }} {{ list|sort(reverse=true) }} {{ words|sort(case_sensitive=true) }} {{ people|sort(attribute='name')|map(attribute='name')|list }}",
        "3 2 a [1, 2, 3] ['A', 'b', 'c'] [3, 2, 1] ['A', 'b', 'c'] ['al', 'Bo']",
      ],
      [
        "{{ list|join('-') }} {{ people|join(', ', attribute='name') }} {{ 'abc'|join('.') }} {{ [1, none, 'a']|join }}",
        '3-1-2 Bo, al a.b.c 1Nonea',
      ],
      [
        "{{ people|map(attribute='age')|list }} {{ people|map(attribute='no', default='-')|list }} {{ words|map('upper')|list }} {{ list|map('string')|join }}",
        "[3, 1] ['-', '-'] ['B', 'A', 'C'] 312",
      ],
      [
        "{{ list|select('odd')|list }} {{ list|reject('equalto', 1)|list }} {{ people|selectattr('age', 'gt', 1)|map(attribute='name')|list }} {{ people|rejectattr('name', 'equalto', 'Bo')|list }} {{ people|selectattr('no')|list }} {{ [0, 1, '', 'a']|select|list }}",
        "[3, 1] [3, 2] ['Bo'] [{'name': 'al', 'age': 1}] [] [1, 'a']",
      ],
      [
        "{% for k, v in dict|dictsort %}{{ k }}{{ v }}{% endfor %} {% for k, v in dict|dictsort(by='value', reverse=true) %}{{ k }}{{ v }}{% endfor %} {% for k, v in dict|items %}{{ k }}{{ v }}{% endfor %} {{ list|max }} {{ list|min }} {{ list|sum }} {{ people|sum(attribute='age') }} {{ [1,1,2]|unique|list }}",
        'a2b1 a2b1 b1a2 3 1 6 4 [1, 2]',
      ],
      [
        "{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent(width=1, blank=true) }}",
        'a\n    b\n\n    c|  a\n  b|a\n \n b',
      ],
      [
        "{{ ' a '|trim }}|{{ 'xax'|trim('x') }}|{{ 'a<b'|e }}|{{ 'a b-c'|title }}|{{ 'ABC'|lower }}{{ 'aBC'|capitalize }}",
        'a|a|a&lt;b|A B-C|abcAbc',
      ],
      [
        "{{ '12'|int }} {{ '1.9'|int }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ 2.7|int }} {{ '1.5'|float }} {{ 3|float }} {{ 2.567|round(2) }} {{ 2.5|round }} {{ -3|abs }}",
        '12 1 0 7 2 1.5 3.0 2.57 2.0 3',
      ],
      [
        "{{ 'abc'|reverse }} {{ list|reverse|list }} {{ 'abc'|list }} {{ dict|list }} {{ 'a b c'|wordcount }} {{ 'aXbX'|replace('X', '-') }} {{ list|batch(2)|list }}",
        "cba [2, 1, 3] ['a', 'b', 'c'] ['b', 'a'] 3 a-b- [[3, 1], [2]]",
      ],
      ["{{ people|groupby('age')|map('first')|list }}", '[1, 3]'],
    ],
  ],
  [
    'writes JSON as json.dumps does',
    [
      [
        "{{ nested|tojson }} {{ [1.0, 2.5, true, none, 'é\\n\"']|tojson }}",
        '{"a": [{"k": 1}, {"k": 2}], "items": [1]} [1.0, 2.5, true, null, "é\\n\\""]',
      ],
      [
        "{{ dict|tojson(indent=2) }} {{ [[], {}, [1, {'a': 1}]]|tojson(indent=4) }}",
        '{\n  "b": 1,\n  "a": 2\n} [\n    [],\n    {},\n    [\n        1,\n        {\n            "a": 1\n        }\n    ]\n]',
      ],
      [
        "{{ 'é'|tojson(ensure_ascii=true) }} {{ dict|tojson(sort_keys=true) }} {{ nested|tojson(separators=(',', ':')) }}",
        '"\\u00e9" {"a": 2, "b": 1} {"a":[{"k":1},{"k":2}],"items":[1]}',
      ],
      [
        "{{ dict|tojson(separators=(', ', ': '), indent=1) }} {{ {1: 2, none: 3}|tojson }}",
        '{\n "b": 1, \n "a": 2\n} {"1": 2, "null": 3}',
      ],
    ],
  ],
  [
    'tests',
    [
      [
        "{{ missing is defined }} {{ nothing is defined }} {{ missing is undefined }} {{ nothing is none }} {{ 'a' is string }} {{ 1 is number }} {{ 1.5 is number }} {{ yes is number }} {{ yes is boolean }} {{ 1 is integer }} {{ 1.0 is float }}",
        'False True True True True True True True True True True',
      ],
      [
        "{{ dict is mapping }} {{ list is sequence }} {{ dict is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ list is mapping }} {{ list is not string }} {{ yes is true }} {{ 1 is true }} {{ no is false }} {{ 3 is odd }} {{ 4 is even }} {{ 'a' is lower }} {{ 'A' is upper }}",
        'True True True True False False True True False True True True True True',
      ],
    ],
  ],
  [
    'loops',
    [
      ["{% for i in list %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}", '1/3,2/3,3/3'],
      [
        '{% for i in list if i > 1 %}{{ i }}:{{ loop.index0 }} {% else %}none{% endfor %}{% for i in [] %}x{% else %}none{% endfor %}',
        '3:0 2:1 none',
      ],
      [
        '{% for i in range(5) %}{{ i }}{% if i == 1 %}-{% continue %}{% endif %}{% if i == 3 %}!{% break %}{% endif %};{% endfor %}',
        '0;1-2;3!',
      ],
      [
        "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }} {% endfor %}{% for k in dict %}{{ k }}{% endfor %}{% for c in 'ab' %}{{ c }}.{% endfor %}",
        '12 34 baa.b.',
      ],
      [
        '{% set v = 0 %}{% for i in list %}{% if loop.first %}{% set v = i %}{% endif %}{{ v }}{% endfor %}{{ v }}',
        '3000',
      ],
      [
        "{% set ns = namespace(a=0, b='x') %}{% for i in list %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}",
        '6xFalse',
      ],
      [
        "{% for i in list %}{{ loop.previtem }}<{{ i }}<{{ loop.nextitem }} {{ loop.revindex }}{{ loop.cycle('a', 'b') }} {% endfor %}",
        '<3<1 3a 3<1<2 2b 1<2< 1a ',
      ],
      [
        '{% for i in range(1, 10, 3) %}{{ i }}{% endfor %}{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}{% for i in missing %}x{% endfor %}',
        '147321',
      ],
      [
        '{% for i in list %}{% for j in list %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}',
        '1231;1232;1233;',
      ],
    ],
  ],
  [
    'macros and blocks',
    [
      [
        "{% macro m(a, b='B', c=none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 2) }} {{ m(b=3, a=0) }} {{ m() }}",
        '1BNone 12None 03None BNone',
      ],
      ['{% macro m() %}{{ varargs|list }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}', "[1, 2]{'k': 3}"],
      ['{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}', '3210'],
      [
        '{% macro wrap() %}<{{ caller() }}>{% endmacro %}{% call wrap() %}in{% endcall %} {% macro each() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}{% call(x) each() %}[{{ x }}]{% endcall %}',
        '<in> [1][2]',
      ],
      [
        '{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set c %}x{{ a }}{% endset %}{{ c }} {% filter upper %}abc{% endfilter %}',
        '12 x1 ABC',
      ],
      [
        '{% set x = 1 %}{% if yes %}{% set x = 2 %}{% endif %}{{ x }} {% macro o() %}{{ x }}{% endmacro %}{{ o() }}',
        '2 2',
      ],
      ['{%- if yes -%}\n  a  \n{%- endif %}\n  {% if no %}b{% elif n == 3 %}three{% else %}c{% endif %}\n', 'athree'],
      ['{# a comment #}a{#- b -#} c', 'ac'],
      ['{% generation %}g{% endgeneration %}', 'g'],
      ["{% set j = joiner('|') %}{% for i in list %}{{ j() }}{{ i }}{% endfor %} {{ dict is mapping }}", '3|1|2 True'],
    ],
  ],
]

describe('a template', () => {
  for (const [name, rows] of samples)
    it(`renders what Python’s Jinja renders: ${name}`, () => {
      for (const [source, text] of rows) assert.equal(rendered(source, variables), text, source)
    })

  it('tells the date in English', () => {
    assert.equal(
      rendered("{{ strftime_now('%Y-%m-%d %d %b %y, %A %B %-d, %H:%M:%S %I %p %j %% %Q') }}"),
      '2026-01-02 02 Jan 26, Friday January 2, 13:04:05 01 PM 002 % %Q',
    )
  })

  it('refuses its messages with words of its own', () => {
    assert.throws(
      () => rendered("{{ raise_exception('No ' ~ who) }}", { who: 'tools' }),
      (error: unknown) => error instanceof Raised && error.message === 'No tools',
    )
  })

  it('fails where Python’s Jinja fails', () => {
    for (const source of [
      "{{ 'a' + 1 }}",
      "{{ 'a' + missing }}",
      '{{ none + 1 }}',
      '{{ missing() }}',
      "{{ 'a' < 1 }}",
      '{{ 1 / 0 }}',
      '{{ {}|first.x() }}',
      '{{ none|length }}',
      '{% for a, b in [[1]] %}{% endfor %}',
      '{% set list.a = 1 %}',
      '{{ 1|nosuchfilter }}',
      "{{ 'a'|select('nosuchtest')|list }}",
      '{{ missing|tojson }}',
      "{{ 'a'.split('') }}",
      '{% for i in 5 %}{% endfor %}',
    ])
      assert.throws(() => rendered(source, variables), TemplateError, source)
  })

  it('is refused when it is none', () => {
    for (const source of ['{% for %}', '{{ }}', '{% if x %}', '{% nonsense %}', '{{ "a }}', '{#', '{{ [1, }}'])
      assert.throws(() => new Jinja(source), TemplateError, source)
  })
})

describe('a hostile template', () => {
  const twice = (text: string, times: number) =>
    `{% set ns = namespace(s=${text}) %}{% for i in range(${times}) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`
  const hostile: Record<string, string> = {
    'a text repeated': "{{ 'abc' * 1000000000 }}",
    'a list repeated': '{{ [1] * 1000000000 }}',
    'a text in place of each of its letters': `${twice("'aaaaaaaaaa'", 16)}{{ ns.s.replace('a', ns.s) }}`,
    'an endless indent': "{{ 'a\\nb'|indent(400000000) }}",
    'indents of JSON': '{{ [[1]]|tojson(indent=400000000) }}',
    'many lines with a long indent': `${twice("'a\\n'", 16)}{{ ns.s|indent(100000) }}`,
    'a long separator': `${twice("'aaaaaaaaaa'", 16)}{{ range(10000)|join(ns.s) }}`,
    'a long separator of JSON': `${twice("'aaaaaaaaaa'", 16)}{{ range(10000)|list|tojson(separators=(ns.s, ns.s)) }}`,
    'a text split into its letters': `${twice("'aaaaaaaaaa'", 19)}{{ ns.s.split('a') }}`,
    'a list in itself': '{% set l = [] %}{% set _ = l.append(l) %}{{ l }}',
    'a list in itself as JSON': '{% set l = [] %}{% set _ = l.append(l) %}{{ l|tojson }}',
    'lists in themselves compared':
      '{% set a = [] %}{% set b = [] %}{% set _ = a.append(b) %}{% set _ = b.append(a) %}{{ a == b }}',
    'a list shown twice by each list': `{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}`,
    'a large list sorted': `${twice('[3, 1, 2]', 18)}{{ ns.s|sort }}`,
    'a large list searched': `${twice('[3, 1, 2]', 18)}{% for i in range(1000) %}{{ i in ns.s }}{% endfor %}`,
    'a large list made unique': '{{ range(10000)|unique|list }}',
    'a macro that calls itself': '{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}',
    'wide padding': "{{ 'a'.ljust(1000000000) }}",
    'names filled in': `${twice("'{0}'", 18)}{{ ns.s.format(ns.s) }}`,
    'percents filled in': `${twice("'%s'", 16)}{{ ns.s % ([ns.s] * 65536) }}`,
    'a range without end': '{{ range(0, 1, 0) }}',
    'a range of everything': '{{ range(10001) }}',
    'a list that grows while it is gone through':
      '{% set l = [1] %}{% for i in l %}{% for j in range(9999) %}{% set _ = l.insert(0, j) %}{% endfor %}{% endfor %}{% for a in l %}{% for b in l %}{{ a }}{% endfor %}{% endfor %}',
    'deep brackets': `{{ ${'['.repeat(300)}${']'.repeat(300)} }}`,
  }
  for (const [name, source] of Object.entries(hostile))
    it(`is stopped before it takes time or memory: ${name}`, () => {
      const before = { cpu: process.threadCpuUsage(), memory: process.memoryUsage().heapUsed }
      assert.throws(() => rendered(source), BudgetSpent)
      const { user, system } = process.threadCpuUsage(before.cpu)
      assert.ok(user + system < 1_500_000, `it took ${user + system} µs`)
      assert.ok(process.memoryUsage().heapUsed - before.memory < 128 * 1024 * 1024)
    })

  it('is not even read when that takes too long', () => {
    for (const source of [
      ' '.repeat(100_000),
      `{%${'\n'.repeat(100_000)}if`,
      'a'.repeat(300_000),
      `{{${'('.repeat(100_000)}`,
      '{% if a %}'.repeat(20_000),
      `{{${'-'.repeat(100_000)}1}}`,
      `${' '.repeat(999)}a`.repeat(260),
    ]) {
      const before = process.threadCpuUsage()
      try {
        new Jinja(source)
      } catch (error) {
        assert.ok(error instanceof TemplateError)
      }
      const { user, system } = process.threadCpuUsage(before)
      assert.ok(user + system < 2_000_000, `${JSON.stringify(source.slice(0, 20))} took ${user + system} µs`)
    }
  })
})
