"""Writes what Jinja2 makes of the templates here, of random conversations and of many small constructs.

Ran on Python 3.11 with Jinja2 3.1.6 (Debian's python3-jinja2), set up as transformers sets it up:
ImmutableSandboxedEnvironment with trim_blocks and lstrip_blocks, loop controls, the generation tag, and its tojson,
raise_exception and strftime_now. The templates are our own, with the constructs and layouts of the published ones.

    python3 make_golden.py

conversations.json: 200 chats. rendered.json: of each template and chat the beginning of the SHA-256 of what is
written, without and with the prompt for an answer; "!" and the words where the template refuses the chat, "?" where
it fails. constructs.json: small templates, and what they write.
"""

import datetime
import hashlib
import json
import pathlib
import random

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime(2026, 3, 5, 14, 7, 9)
TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>"}


class Generation(jinja2.ext.Extension):
    """Remembers where the text between {% generation %} and {% endgeneration %} stands."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_mark"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _mark(self, context, caller):
        text = caller()
        blocks = self.environment.blocks
        start = len("".join(blocks))
        self.environment.marks.append([start, start + len(text)])
        return text


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


ENVIRONMENT = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
ENVIRONMENT.filters["tojson"] = to_json
ENVIRONMENT.globals["raise_exception"] = raise_exception
ENVIRONMENT.globals["strftime_now"] = NOW.strftime


def render(source, variables):
    """Gives the text and the marks, or what is wrong: '!' and the template's own words, '?' for any other error."""
    ENVIRONMENT.blocks, ENVIRONMENT.marks = [], []
    try:
        for block in ENVIRONMENT.from_string(source).generate(**variables):
            ENVIRONMENT.blocks.append(block)
    except jinja2.exceptions.TemplateError as error:
        own = type(error) is jinja2.exceptions.TemplateError
        return ("!" + str(error) if own else "?"), []
    except Exception:
        return "?", []
    return "=" + "".join(ENVIRONMENT.blocks), ENVIRONMENT.marks


# ---------------------------------------------------------------------------------------------------------------------

WORDS = [
    "hello", "world", "So?", "yes", "no", " ", "  ", "\n", "\n\n", "\t", "naïve", "Ä", "漢字", "😀", "👩‍👩‍👧", "é", "\u00a0",
    "\u2028", "\x1c", "\x07", "\x7f", "'", '"', "it's", '"quoted"', "\\", "\\n", "<b>", "&amp;", "{{ x }}", "{% if %}", "{# c #}",
    "<|im_start|>", "<|im_end|>", "</s>", "[INST]", "<eos>", "<think>", "</think>", "<tool_response>", "</tool_response>",
    "/no_think", "/think", "/system_override", "12", "3.5", "-", "ß", "ǆ", "İ", "end",
]
NAMES = ["get_weather", "search", "add", "größe"]
VALUES = [1, -7, 0, 2.5, 1e22, 1e-7, 100000.0, 123456789012345678, 12345678901234567890123, True, False, None, "text", "ü\n\"q\"", [1, "a"], {"k": [None]}, [], {}]


def text(chance, longest=6):
    return "".join(chance.choice(WORDS) for _ in range(chance.randrange(1, longest)))


def arguments(chance):
    return {chance.choice(["city", "n", "opts", "naïve"]): chance.choice(VALUES) for _ in range(chance.randrange(0, 3))}


def tool(chance):
    properties = {}
    for name in chance.sample(["city", "days", "units", "tags"], chance.randrange(0, 4)):
        kind = chance.choice(["string", "number", "integer", "boolean", "array", "object", ["string", "null"]])
        properties[name] = {"type": kind, "description": text(chance, 3)}
        if kind == "array":
            properties[name]["items"] = {"type": "string"}
    function = {"name": chance.choice(NAMES), "description": text(chance, 4), "parameters": {"type": "object", "properties": properties}}
    if chance.random() < 0.3:
        function["return"] = {"type": "string"}
    return {"type": "function", "function": function}


def call(chance):
    given = arguments(chance)
    return {"type": "function", "id": "".join(chance.choice("abc123") for _ in range(9 if chance.random() < 0.9 else 4)),
            "function": {"name": chance.choice(NAMES), "arguments": given if chance.random() < 0.8 else json.dumps(given)}}


def conversation(chance):
    messages = [{"role": "system", "content": text(chance)}] if chance.random() < 0.4 else []
    has_tools = chance.random() < 0.35
    for _ in range(chance.randrange(1, 4)):
        messages.append({"role": "user", "content": text(chance)})
        if chance.random() < 0.05:
            messages.append({"role": "user", "content": text(chance)})
        while has_tools and chance.random() < 0.5:
            calls = [call(chance) for _ in range(chance.choice([1, 1, 2]))]
            message = {"role": "assistant", "content": chance.choice([None, "", text(chance)]), "tool_calls": calls}
            if chance.random() < 0.3:
                message["reasoning_content"] = text(chance)
            messages.append(message)
            messages += [{"role": "tool", "content": text(chance), "tool_call_id": made["id"]} for made in calls]
        answer = {"role": "assistant", "content": text(chance) if chance.random() < 0.95 else ""}
        if chance.random() < 0.2:
            answer["reasoning_content"] = text(chance)
        elif chance.random() < 0.2:
            answer["content"] = "<think>\n" + text(chance) + "\n</think>\n\n" + answer["content"]
        messages.append(answer)
    if chance.random() < 0.3:
        messages.append({"role": "user", "content": text(chance)})
    result = {"messages": messages}
    if has_tools:
        result["tools"] = [tool(chance) for _ in range(chance.randrange(1, 3))]
    return result


# ---------------------------------------------------------------------------------------------------------------------

DATA = {
    "s": "Hello, World", "u": "naïve 漢字 😀", "sp": " \n\t x y \n", "n": 7, "f": 2.5, "t": True, "x": None, "e": "", "q": "it's \"so\"\n\\",
    "l": [3, 1, 2], "ls": ["b", "A", "c"], "d": {"b": 1, "a": [1, {"c": None}], "items": "own"}, "big": 12345678901234567890123,
    "m": [{"role": "user", "content": "hi", "n": 2}, {"role": "assistant", "content": "yo", "n": 1}, {"role": "user", "content": "", "n": 3}],
}

CONSTRUCTS = r"""
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }}
{{ 7.0 // 2 }} {{ -7.5 % 2 }} {{ 1e3 }} {{ 1.5e-7 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 0o17 }}
{{ 1 / 0 }}
{{ 5 % 0 }}
{{ -n }} {{ +n }} {{ -2 ** 2 }} {{ - n | abs }} {{ not n }} {{ not not n }} {{ true + true }} {{ true * 3 }}
{{ 'a' + 'b' ~ 1 ~ none ~ true ~ 1.0 ~ [1, 'a'] ~ {'k': "v'"} ~ (1,) ~ () }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ none + 'a' }}
{{ 'ab' * 3 }}|{{ 3 * 'ab' }}|{{ 'ab' * 0 }}|{{ 'ab' * -1 }}|{{ [1, 2] * 2 }}|{{ (1, 2) + (3,) }}|{{ [1] + [2] }}
{{ [1] + (2,) }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 'a' == 1 }} {{ none == none }} {{ [1] == [1.0] }} {{ {'a': 1} == {'a': true} }} {{ (1,) == [1] }}
{{ 'a' < 1 }}
{{ none < 1 }}
{{ 1 in l }} {{ 9 in l }} {{ 9 not in l }} {{ 'ell' in s }} {{ 'b' in d }} {{ 'z' in d }} {{ none in [none] }} {{ 1.0 in l }} {{ '' in '' }}
{{ 1 in s }}
{{ 1 in 5 }}
{{ 1 and 0 or 'x' }} {{ '' or none or [] }} {{ 1 and 2 }} {{ none and 1 }} {{ not 1 == 2 }} {{ not (1 == 2) and true }}
{{ 'a' if n > 5 else 'b' }} {{ 'a' if false }} {{ 'a' if false else 'b' if true else 'c' }} {{ ('x' if t else 'y') ~ 'z' }}
{{ undefined_thing }}|{{ undefined_thing | default('x') }}|{{ x | default('y') }}|{{ x | default('y', true) }}|{{ e | d('z', boolean=true) }}|{{ d.nothing }}|{{ d['nothing'] }}
{{ undefined_thing.attribute }}
{{ undefined_thing['key'] }}
{{ undefined_thing() }}
{{ undefined_thing + 'a' }}
{{ undefined_thing < 1 }}
{{ undefined_thing == undefined_other }} {{ undefined_thing == none }} {{ undefined_thing != 1 }} {{ undefined_thing is none }} {{ 'a' in undefined_thing }} {{ undefined_thing ~ 'a' }} {{ not undefined_thing }}
{% for i in undefined_thing %}x{% else %}none{% endfor %} {{ undefined_thing | length }} {{ undefined_thing | list }} {{ undefined_thing | join(',') }} {{ undefined_thing | trim }} {{ undefined_thing | first is defined }} {{ undefined_thing | upper }}
{{ undefined_thing | tojson }}
{{ x.attribute is defined }} {{ x['k'] is defined }} {{ s.attribute is defined }} {{ n.attribute is defined }} {{ x.a.b }}
{{ d['items'] }} {{ d.get('b') }} {{ d.get('zz') }} {{ d.get('zz', 5) }} {{ d.keys() | list }} {{ d.values() | list }} {{ d.items() | list }} {{ d.b }} {{ d['a'][1].c }}
{{ d.update({}) }}
{{ l.append(4) }}
{{ l.pop is defined }} {{ d.pop is defined }} {{ l.index(1) }} {{ l.count(3) }}
{{ l[0] }} {{ l[-1] }} {{ l[9] is defined }} {{ l[1:] }} {{ l[:-1] }} {{ l[::-1] }} {{ l[::2] }} {{ l[5:] }} {{ l[-9:2] }} {{ l[2:0:-1] }} {{ l.0 }} {{ (1, 2, 3)[1:] }} {{ l[true] }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:-7] }} {{ s[99:] }} {{ u[7] }} {{ u[6:8] }} {{ u[-1] }} {{ u | length }} {{ u[::-1] }} {{ s[99] is defined }}
{{ l[::0] }}
{{ x[1:] is defined }} {{ n[1:] is defined }} {{ d[1:2] is defined }}
{{ s.upper() }} {{ s.lower() }} {{ s.title() }} {{ s.swapcase() }} {{ 'hELLO wORLD'.capitalize() }} {{ "they're bill's".title() }} {{ 'ß'.upper() }} {{ u.upper() }}
[{{ sp.strip() }}] [{{ sp.lstrip() }}] [{{ sp.rstrip() }}] [{{ 'xxaxx'.strip('x') }}] [{{ 'abcba'.lstrip('ab') }}] [{{ 'abcba'.rstrip('ab') }}] [{{ '\x1c\u00a0a\u2003'.strip() }}] [{{ '   '.strip() }}] [{{ ''.strip() }}]
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ ' a  b  c '.split(none, 1) }} {{ 'abc'.split('x') }} {{ ''.split() }} {{ ''.split(',') }} {{ 'a\nb'.split('\n')[-1] }} {{ 'a--b'.split('--', maxsplit=0) }}
{{ 'a,b,c'.rsplit(',', 1) }} {{ ' a b  c '.rsplit(none, 1) }} {{ 'a b'.rsplit() }} {{ 'a,b'.partition(',') }} {{ 'ab'.partition(',') }} {{ 'a,b,c'.rpartition(',') }} {{ 'ab'.rpartition(',') }} {{ 'a\nb\r\nc\x0bd\u2028e'.splitlines() }} {{ 'a\nb\n'.splitlines(true) }}
{{ 'abc'.split('') }}
{{ s.startswith('Hell') }} {{ s.startswith(('x', 'H')) }} {{ s.startswith('ello', 1) }} {{ s.endswith('ld') }} {{ s.endswith('Hell', 0, 4) }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'abc'.removeprefix('x') }}
{{ s.startswith(1) }}
{{ s.find('o') }} {{ s.rfind('o') }} {{ s.find('zz') }} {{ s.index('W') }} {{ s.count('l') }} {{ s.count('') }} {{ u.find('😀') }} {{ 'aaa'.count('aa') }}
{{ s.index('zz') }}
{{ s.replace('l', 'L') }} {{ s.replace('l', 'L', 1) }} {{ 'ab'.replace('', '-') }} {{ 'ab'.replace('', '-', 2) }} {{ ''.replace('', '-') }} {{ s.replace('zz', '') }}
{{ '-'.join(['a', 'b']) }} {{ '-'.join('abc') }} {{ ''.join([]) }}
{{ '-'.join([1]) }}
{{ 'x'.ljust(3) }}|{{ 'x'.rjust(3, '.') }}|{{ 'x'.center(4, '*') }}|{{ 'xy'.center(5, '*') }}|{{ '42'.zfill(5) }}|{{ '-42'.zfill(5) }}
{{ '12'.isdigit() }} {{ 'a1'.isalnum() }} {{ 'ab'.isalpha() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'AB'.isupper() }} {{ 'aB'.islower() }} {{ '1'.isupper() }}
{{ '{} and {}'.format(1, 'b') }} {{ '{1}{0}{x}'.format(1, 2, x=3) }} {{ '{{}}'.format() }} {{ '%s-%s' % (1, 'a') }} {{ '%d' % 3.7 }} {{ '%.2f' % 3.14159 }} {{ '%s' % 'x' }} {{ '100%%' % () }} {{ '%r' % 'a' }} {{ '%s' | format(5) }}
{{ '%s' % (1, 2) }}
{{ '%s %s' % 1 }}
{{ s | upper }} {{ s | lower }} {{ 'hello wORLD-foo (bar)' | title }} {{ 'hELLO' | capitalize }} {{ sp | trim }} {{ 'xax' | trim('x') }} {{ s | length }} {{ s | count }} {{ s | reverse }} {{ l | reverse | list }} {{ n | string ~ 'x' }} {{ 5 | upper }} {{ none | trim }}
{{ n | length }}
{{ s | replace('l', 'L') }} {{ s | replace('l', 'L', 1) }} {{ 5 | replace('5', '6') }} {{ s | first }} {{ s | last }} {{ l | first }} {{ l | last }} {{ [] | first is defined }} {{ [] | last is defined }} {{ d | first }} {{ d | length }}
{{ ls | join }} {{ ls | join(', ') }} {{ l | join('-') }} {{ m | join(',', attribute='role') }} {{ [none, true] | join(' ') }} {{ 'abc' | join('.') }}
{{ l | sort }} {{ l | sort(reverse=true) }} {{ ls | sort }} {{ ls | sort(case_sensitive=true) }} {{ m | sort(attribute='n') | map(attribute='n') | list }} {{ l | min }} {{ l | max }} {{ ls | max }} {{ l | sum }} {{ m | sum(attribute='n') }} {{ [1, 1.0, 2, 'a', 'A'] | unique | list }}
{{ [1, 'a'] | sort }}
{{ d | dictsort }} {{ {'B': 2, 'a': 1} | dictsort }} {{ {'b': 1, 'a': 2} | dictsort(by='value') }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) }}
{{ m | selectattr('role', 'equalto', 'user') | list | length }} {{ m | rejectattr('role', '==', 'user') | map(attribute='content') | list }} {{ m | selectattr('content') | list | length }} {{ m | selectattr('n', 'gt', 1) | map(attribute='n') | join(',') }} {{ m | selectattr('zz', 'defined') | list }} {{ m | selectattr('role', 'in', ['user']) | list | length }}
{{ l | select('odd') | list }} {{ l | reject('odd') | list }} {{ [0, 1, ''] | select | list }} {{ l | map('string') | list }} {{ ls | map('upper') | join }} {{ m | map(attribute='zz', default=0) | list }} {{ ls | map('replace', 'A', 'z') | list }} {{ m | map(attribute='content.0') | list | length }}
{% for role, group in m | groupby('role') %}{{ role }}:{{ group | length }};{% endfor %}
{% set it = l | map('string') %}{{ it | list }}{{ it | list }}{{ l | map('string') is iterable }}{{ l | map('string') is sequence }}
{{ (l | map('string')) | length }}
{{ l | map('string') | last }}
{{ d | items | list }} {{ undefined_thing | items | list }} {% for k, v in d | items %}{{ k }}={{ v }};{% endfor %}
{{ l | items | list }}
{{ '5' | int + 1 }} {{ 'x' | int }} {{ 'x' | int(7) }} {{ '5.9' | int }} {{ 5.9 | int }} {{ '0x1f' | int(0, 16) }} {{ true | int }} {{ ' 12 ' | int }} {{ none | int(3) }} {{ '1_0' | int }} {{ '2.5' | float }} {{ 'x' | float }} {{ 3 | float }} {{ '1e3' | float }} {{ none | float(1.5) }}
{{ 3.7 | round }} {{ 2.5 | round }} {{ 3.14159 | round(2) }} {{ 3.1 | round(0, 'ceil') }} {{ 3.9 | round(0, 'floor') }} {{ 3 | round }} {{ -5 | abs }} {{ -5.5 | abs }}
{{ "a\nb\n\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent('--') }}|{{ '' | indent(2, first=true) }}
{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz qux' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(11) }} {{ 'foo bar baz qux' | truncate(11, false, '...', 0) }} {{ 'x' | center(5) }}| {{ 'a b c' | wordcount }}
{{ '<a & "b">' | escape }} {{ '<' | e | e }} {{ '<' | safe + '<' }} {{ '<' + '<' | safe }} {{ '<' | safe ~ '<' }} {{ "'" | forceescape }}
{{ d | tojson }} {{ d | tojson(indent=2) }} {{ l | tojson(indent=4) }} {{ [] | tojson(indent=2) }} {{ {} | tojson }} {{ q | tojson }} {{ u | tojson }} {{ u | tojson(ensure_ascii=true) }} {{ x | tojson }} {{ t | tojson }} {{ f | tojson }} {{ 1e22 | tojson }} {{ (1, 2) | tojson }} {{ '</script>&' | tojson }} {{ big | tojson }}
{{ d | tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ {1: 2, none: 3, true: 4} | tojson }} {{ l | tojson(indent=0) }} {{ '\x00\x1f\x7f' | tojson }} {{ d | tojson(indent='-') }}
{{ range(3) | tojson }}
{{ x }} {{ t }} {{ n }} {{ f }} {{ l }} {{ d }} {{ q }} {{ [q] }} {{ big }} {{ ['\x00\u200b\xa0é😀'] }} {{ {'a': 'b'} }} {{ ["it's"] }} {{ ["\"'"] }} {{ [1.0, none, true, (1,)] }} {{ [[], {}, ()] }}
{{ range(3) }} {{ range(3) | list }} {{ range(2, 8, 3) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ range(3)[1] }} {{ range(3) | length }} {{ range(-3) | list }} {{ range(1, 7, 2) }}
{{ range(1000000) }}
{{ dict(a=1, b='x') }} {{ dict({'a': 1}, b=2) }} {{ namespace(a=1).a }} {{ namespace({'k': 2}).k }} {{ namespace().zz is defined }}
{{ n is odd }} {{ n is even }} {{ n is divisibleby(7) }} {{ n is divisibleby 3 }} {{ n is number }} {{ t is number }} {{ t is integer }} {{ n is integer }} {{ f is float }} {{ f is number }} {{ s is number }} {{ big is integer }} {{ t is boolean }} {{ n is boolean }} {{ t is true }} {{ 1 is true }} {{ false is false }}
{{ s is string }} {{ n is string }} {{ d is mapping }} {{ l is mapping }} {{ l is sequence }} {{ s is sequence }} {{ d is sequence }} {{ n is sequence }} {{ range(2) is sequence }} {{ l is iterable }} {{ n is iterable }} {{ x is iterable }} {{ d.items() is sequence }} {{ d.items() is iterable }} {{ undefined_thing is iterable }} {{ undefined_thing is sequence }}
{{ x is none }} {{ e is none }} {{ x is defined }} {{ zz is undefined }} {{ x is not defined }} {{ n is eq 7 }} {{ n is equalto(7) }} {{ n is ne 7 }} {{ n is gt 3 }} {{ n is lessthan 3 }} {{ n is ge(7) }} {{ n is in [7] }} {{ 'a' is in 'abc' }} {{ n is not in [7] }} {{ s is upper }} {{ 'AB' is upper }} {{ 'ab' is lower }} {{ n is sameas n }} {{ raise_exception is callable }} {{ s is callable }} {{ 'upper' is filter }} {{ 'zz' is filter }} {{ 'odd' is test }} {{ '<' | safe is escaped }}
{{ n is unknown_test }}
{{ n | unknown_filter }}
{{ n is odd and s is string or false }} {{ not n is odd }} {{ n is odd == true }} {{ 'x' if n is not none else 'y' }} {{ m[0].role is eq 'user' and m[0]['n'] is eq 2 }}
{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.previtem is defined }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(i > 1) }};{% endfor %}
{% for i in l if i > 1 %}{{ i }}{{ loop.index }}{{ loop.last }}{{ loop.length }};{% else %}none{% endfor %}{% for i in l if i > 9 %}{{ i }}{% else %}none{% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}{% for c in u %}{{ c }},{% endfor %}{% for k in d %}{{ k }},{% endfor %}{% for k, v in d.items() %}{{ k }}{{ loop.last }},{% endfor %}{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }},{% endfor %}{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for i in n %}{% endfor %}
{% for i in none %}{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{{ loop.index }}{% endfor %}
{% for i in [1, [2, [3]], 4] recursive %}{% if i is iterable %}({{ loop(i) }}){{ loop.depth }}{% else %}{{ i }}@{{ loop.depth }}{% endif %}{% endfor %}
{% set ns = namespace(found=false, n=0) %}{% for i in l if not ns.found %}{{ i }}{% if i == 1 %}{% set ns.found = true %}{% endif %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.found }}{{ ns.n }}
{% set v = 1 %}{% for i in l %}{{ v }}{% set v = v + i %}{{ v }};{% endfor %}{{ v }}{% if true %}{% set v = 9 %}{% endif %}{{ v }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set c = 1, %}{{ c }}{% set (p, r) = 'xy' %}{{ p }}{{ r }}
{% set l.x = 1 %}
{% set zz.x = 1 %}
{% set text %}  a {{ n }} b {% endset %}[{{ text }}]{% set text | trim | upper %} x y {% endset %}[{{ text }}]{% set k %}{% set inner = 5 %}{{ inner }}{% endset %}{{ k }}{{ inner is defined }}
{% if x %}a{% elif n == 7 %}b{% else %}c{% endif %}{% if not n %}a{% else %}c{% endif %}{% if e or l %}y{% endif %}{% if x is none and d %}z{% endif %}
{% macro f(a, b=2, c=a) %}[{{ a }}|{{ b }}|{{ c }}]{% endmacro %}{{ f(1) }}{{ f(1, c=3) }}{{ f(b=5, a=4) }}{{ f() }}{{ f('x') | length }}{{ f.name is defined }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(z=2) }}
{% macro f() %}{{ varargs | list }}{{ kwargs }}{% endmacro %}{{ f(1, 2, k=3) }}
{% macro f(x) %}<{{ x }}{{ caller() }}>{% endmacro %}{% call f(1) %}body{{ n }}{% endcall %}{% macro g() %}{{ caller(5) }}{% endmacro %}{% call(v) g() %}{{ v + 1 }}{% endcall %}
{% macro fact(n) %}{% if n > 1 %}{{ n * (fact(n - 1) | int) }}{% else %}1{% endif %}{% endmacro %}{{ fact(5) }}
{% set y = 1 %}{% macro f() %}{{ y }}{% endmacro %}{% set y = 2 %}{{ f() }}{% for i in [1] %}{% set y = 3 %}{{ f() }}{% endfor %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% set n = 100 %}{{ n }}{% endwith %}{{ n }}{{ a is defined }}
{% filter upper %}a{{ s }}{% endfilter %}{% filter trim | replace('a', 'b') %} aa {% endfilter %}
{{ strftime_now('%d %b %Y') }} {{ strftime_now('%Y-%m-%d %H:%M:%S') }} {{ strftime_now('%A, %B %-d, %y %j %I %p %%') }} {{ strftime_now('%a %e') }}
{{ raise_exception('no ' ~ n) }}
a{% if raise_exception is defined %}{{ raise_exception('own words') }}{% endif %}
{{ "a" "b" 'c' }} {{ 'it''s' }} {{ "tab\tnew\\n\x41\u00e9\U0001F600\101\q" }} {{ 'line\
continued' }}
{{ [1, 2,] }} {{ (1, 2,) }} {{ {'a': 1,} }} {{ (1) }} {{ () }} {{ [] }} {{ {} }} {{ (1,) }} {{ 1, 2 }} {{ {'a': {'b': {'c': 1}}}.a.b.c }} {{ {1: 'x'}[1] }} {{ {true: 'x'}[1] }} {{ {(1, 2): 'x'}[(1, 2)] }}
{{ {[1]: 2} }}
{{ s.upper().lower().title()[0:3].strip('H') | upper | lower }} {{ (s | upper)[0] }} {{ ('a' ~ 'b').upper() }} {{ [1, 2] | length + 1 }} {{ -1 | abs }} {{ 'a' ~ 'b' | upper }} {{ 1 + 1 ~ 2 }} {{ 'x' * 2 ~ 3 }} {{ not true is false }}
{{ f(*l) }}
{{ range(*[1, 4]) | list }} {{ dict(**{'a': 1}) }} {{ '{}{}'.format(*l) }}
{{ joiner is defined }} {% set j = joiner('|') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}
{{ true }} {{ True }} {{ none }} {{ None }} {{ false and undefined_thing.x }} {{ true or undefined_thing.x }}
{{ m[1:] | map(attribute='role') | list }} {{ m[-1]['content'] == '' }} {{ m | length - 1 }} {{ m[loop_index | default(0)].role }} {{ m[0] == m[0] }} {{ m[0] == {'role': 'user', 'content': 'hi', 'n': 2} }} {{ m[0] in m }}
{{ (l | list)[0] }} {{ (d.items() | list)[0][1] }} {{ d.items() | first }} {{ d.keys() | join('+') }} {{ d.values() | list | length }} {{ d.items()[0] is defined }}
{{ 1 if 2 }} {{ (1 if 0) is defined }} {{ [1 if 0] }}
{%- if messages is not defined %}{% set messages = m %}{% endif %}{{ messages | length }}
{# a comment {{ x }} {% if %} #}a{#- b -#} c{# multi
line #}
d
{% raw %}{{ x }} {% if %} {# #}{% endraw %} {%- raw -%}  a  {%- endraw -%}  b
{{ '}}' }} {{ "%}" }} {{ '{{' }} {{ {'a': {'b': 1}}}} {{ '{%' }} {{ "#}" }}
{% generation %}{% set g = 1 %}a{{ n }}{% endgeneration %}{{ g is defined }}
x{% for a in m %}{{ a.role }}{% generation %}{{ a.content }}|{% endgeneration %}{% endfor %}
{% if true %}
  {% unknown %}
{% if true %}
{{ 1 +
{{ (1
{{ 'abc
{% for x %}{% endfor %}
{% set 1 = 2 %}
{% set true = 2 %}
{{ 1 2 }}
{{ a b }}
{% endif %}
{{ }}
{{ x[ }}
{# open
{% raw %} open
{% if true %}{% endfor %}
{{ 1 if }}
{{ n is }}
{{ n | }}
{% macro f(a=1, b) %}{% endmacro %}
{{ 'a' is string is string }}
{{ f(a=1, 2) }}
{% break %}
{{ $ }}
{{ 1 ? 2 }}
{{ ')' ) }}
{{ [1) }}
""".strip("\n").split("\n")


def joined(lines):
    """Puts the lines together that belong together: those within an open string or comment."""
    result = []
    for line in lines:
        if line in ("continued' }}", "line #}", "d"):
            result[-1] += "\n" + line
        else:
            result.append(line)
    return result


PIECES = [" ", "  ", "\t", "\n", "\n\n", "x", "y z", "{{ 1 }}", "{{- 1 }}", "{{ 1 -}}", "{{- 1 -}}", "{{+ 1 }}", "{# c #}", "{#- c #}", "{# c -#}", "{#+ c +#}", "{# c\nd #}",
          "{% set a = 1 %}", "{%- set a = 1 %}", "{% set a = 1 -%}", "{%+ set a = 1 %}", "{% set a = 1 +%}", "{%+ set a = 1 +%}", "{%- set a = 1 -%}",
          "{% raw %} r {% endraw %}", "{%- raw -%} r {%- endraw -%}", "{% raw %}\n{{ }}\n{% endraw %}", "{%+ raw %} \n {%+ endraw +%}", "\r\n", "\r"]
BLOCKS = [("{% if true %}", "{% endif %}"), ("{%- if true -%}", "{%- endif -%}"), ("{%+ if true +%}", "{%+ endif +%}"), ("{% for i in [1, 2] %}", "{% endfor %}"), ("{%- for i in [1, 2] %}", "{% endfor -%}")]


def layout(chance, depth=0):
    result = ""
    for _ in range(chance.randrange(1, 7)):
        if depth < 2 and chance.random() < 0.3:
            begin, end = chance.choice(BLOCKS)
            result += begin + layout(chance, depth + 1) + end
        else:
            result += chance.choice(PIECES)
    return result


def digest(text):
    return "=" + hashlib.sha256(text[1:].encode("utf-8")).hexdigest()[:12] if text.startswith("=") else text


def main():
    chance = random.Random(15)
    conversations = [conversation(chance) for _ in range(200)]
    write("conversations.json", conversations)

    rendered = {}
    for path in sorted(HERE.glob("*.jinja")):
        rows = []
        for chat in conversations:
            for prompt in (False, True):
                variables = {"messages": chat["messages"], "tools": chat.get("tools"), "documents": None, "add_generation_prompt": prompt, **TOKENS}
                text, marks = render(path.read_text(encoding="utf-8"), json.loads(json.dumps(variables)))
                rows.append(digest(text) + "".join(f" {start}-{end}" for start, end in marks if end > start))
        rendered[path.stem] = rows
    write("rendered.json", rendered)

    sources = joined(CONSTRUCTS) + [layout(chance) for _ in range(400)]
    constructs = []
    for source in sources:
        text, marks = render(source, json.loads(json.dumps(DATA)))
        constructs.append({"source": source, "result": text, **({"marks": marks} if marks else {})})
    write("constructs.json", {"data": DATA, "constructs": constructs})
    for name, rows in rendered.items():
        print(name, sum(row[0] == "=" for row in rows), sum(row[0] == "!" for row in rows), sum(row[0] == "?" for row in rows))
    print("constructs", len(constructs), sum(c["result"][0] == "?" for c in constructs))


def write(name, value):
    lines = ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in (value if isinstance(value, list) else value.items()))
    if isinstance(value, list):
        (HERE / name).write_text("[\n" + lines + "\n]\n", encoding="utf-8")
    elif name == "constructs.json":
        rows = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value["constructs"])
        (HERE / name).write_text('{"data":' + json.dumps(value["data"]) + ',\n"constructs":[\n' + rows + "\n]}\n", encoding="utf-8")
    else:
        rows = ",\n".join(json.dumps(key) + ":" + json.dumps(row, separators=(",", ":")) for key, row in value.items())
        (HERE / name).write_text("{\n" + rows + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
