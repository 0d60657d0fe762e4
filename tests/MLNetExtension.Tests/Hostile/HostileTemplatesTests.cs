using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Chat templates that mean harm: each gives one clear error in a moment, and takes little memory.</summary>
[TestClass]
[TestCategory("Hostile")]
[DoNotParallelize]
public sealed class HostileTemplatesTests
{
    // Seen on a quiet machine: 0.6 s at most, in a debug build. A busy one is slower.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private const long MaximumBytes = 512L << 20;

    public TestContext TestContext { get; set; } = null!;

    public static IEnumerable<object[]> Templates => new (string What, string Source)[]
    {
        ("nested loops", "{% for a in range(100000) %}{% for b in range(100000) %}{% for c in range(100000) %}{% endfor %}{% endfor %}{% endfor %}"),
        ("a range of a thousand million", "{% for i in range(10**9) %}{% for j in range(10**9) %}x{% endfor %}{% endfor %}"),
        ("loops over a text", "{% set s = 'ab' * 100000 %}{% for a in s %}{% for b in s %}{% endfor %}{% endfor %}"),
        ("10 GB by multiplication", "{{ 'ten bytes.' * 10**9 }}"),
        ("10 GB by doubling", "{% set ns = namespace(s='ten bytes.') %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}"),
        ("doubling by ~", "{% set ns = namespace(s='x') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"),
        ("doubling by replace", "{% set ns = namespace(s='xxxx') %}{% for i in range(64) %}{% set ns.s = ns.s.replace('x', 'xxxx') %}{% endfor %}"),
        ("doubling by join", "{% set ns = namespace(s='xx') %}{% for i in range(64) %}{% set ns.s = ns.s.join(ns.s) %}{% endfor %}"),
        ("doubling by format", "{% set ns = namespace(s='xx') %}{% for i in range(64) %}{% set ns.s = '%s%s' % (ns.s, ns.s) %}{% endfor %}"),
        ("doubling by repr", "{% set ns = namespace(s=['\\\\']) %}{% for i in range(64) %}{% set ns.s = [ns.s | string] %}{% endfor %}"),
        ("doubling by escapes", "{% set ns = namespace(s='\"') %}{% for i in range(64) %}{% set ns.s = ns.s | tojson %}{% endfor %}"),
        ("doubling of a list", "{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}{% endfor %}"),
        ("a list times a thousand million", "{{ ([0] * 10**9) | length }}"),
        ("a tree of lists", "{% set ns = namespace(l=[]) %}{% for i in range(64) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}"),
        ("a tree of lists, compared", "{% set ns = namespace(a=[], b=[]) %}{% for i in range(64) %}{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}"),
        ("a tree of tuples as a key", "{% set ns = namespace(a=()) %}{% for i in range(64) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}{{ {ns.a: 1}[ns.a] }}"),
        ("a deep list as JSON", "{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}"),
        ("a namespace within itself", "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}"),
        ("spaces by center", "{{ 'x' | center(10**10) }}"),
        ("spaces by indent", "{{ 'x\ny' | indent(10**10) }}"),
        ("spaces by JSON", "{{ [1] | tojson(indent=10**10) }}"),
        ("zeros", "{{ 'x'.zfill(10**10) }}"),
        ("a filler", "{{ 'x'.ljust(10**5, 'y' * 10**5) }}"),
        ("endless output", "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}"),
        ("macros without an end", "{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}"),
        ("two macros without an end", "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{% for i in [1] %}{% if true %}{{ f() }}{% endif %}{% endfor %}{% endmacro %}{{ g() }}"),
        ("a macro that calls itself twice", "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"),
        ("a macro as its own default", "{% macro f(a=f()) %}{% endmacro %}{{ f() }}"),
        ("a caller that calls", "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}"),
        ("a recursive loop", "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
        ("deep parentheses", "{{ " + new string('(', 100_000) + "1" + new string(')', 100_000) + " }}"),
        ("deep brackets", "{{ " + new string('[', 100_000) + new string(']', 100_000) + " }}"),
        ("deep negations", "{{ " + string.Concat(Enumerable.Repeat("not ", 100_000)) + "1 }}"),
        ("deep signs", "{{ " + new string('-', 100_000) + "1 }}"),
        ("a long chain", "{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 100_000)) + " }}"),
        ("a long chain of attributes", "{{ messages" + string.Concat(Enumerable.Repeat(".a", 100_000)) + " }}"),
        ("a long chain of filters", "{{ 1" + string.Concat(Enumerable.Repeat("|d", 100_000)) + " }}"),
        ("a long chain of filters of a block", "{% set x" + string.Concat(Enumerable.Repeat("|d", 100_000)) + " %}{% endset %}"),
        ("a long chain of conditions", "{{ 1" + string.Concat(Enumerable.Repeat(" if 0 else 1", 80_000)) + " }}"),
        ("deep statements", string.Concat(Enumerable.Repeat("{% if true %}", 50_000)) + string.Concat(Enumerable.Repeat("{% endif %}", 30_000))),
        ("deep targets", "{% set " + new string('(', 100_000) + "a" + new string(')', 100_000) + " = 1 %}"),
        ("too long a template", new string('x', 1_000_001)),
        ("too large a number", "{{ 99999999999999999999 }}"),
        ("powers", "{% set ns = namespace(n=10) %}{% for i in range(9) %}{% set ns.n = ns.n ** 10 %}{% endfor %}"),
        ("sorting by a costly key", "{{ range(100000) | sort(attribute='a') | list | sort | length }}{% for i in range(1000) %}{{ range(100000) | sort | length }}{% endfor %}"),
        ("splitting", "{% set s = 'a ' * 100000 %}{% for i in range(1000) %}{{ s.split() | length }}{% endfor %}"),
        ("searching", "{% set s = 'a' * 1000000 + 'b' %}{% for i in range(100000) %}{{ s.count('aab') }}{{ ('a' * 1000 + 'c') in s }}{% endfor %}"),
        ("slices", "{% set s = 'ab' * 100000 %}{% for i in range(100000) %}{% set x = s[::-1] %}{% endfor %}"),
    }.Select(template => new object[] { template.What, template.Source });

    [TestMethod]
    [DynamicData(nameof(Templates))]
    public void A_hostile_template_is_one_clear_error_in_a_moment(string what, string source)
    {
        long before = GC.GetTotalAllocatedBytes(), started = Stopwatch.GetTimestamp();
        var error = Assert.Throws<Exception>(() => new ChatTemplate(With(source)), what);
        TimeSpan taken = Stopwatch.GetElapsedTime(started);
        long allocated = GC.GetTotalAllocatedBytes() - before;

        TestContext.WriteLine($"{taken.TotalMilliseconds:0} ms, {allocated >> 20} MiB: {error.Message}");
        Assert.IsTrue(error is InvalidDataException, $"{what}: {error}");
        Assert.StartsWith("chat_template", error.Message, what);
        Assert.IsTrue(HostileFile.IsClear(error), error.Message);
        Assert.IsLessThan(Limit, taken, what);
        Assert.IsLessThan(MaximumBytes, allocated, what);
    }

    // The same on a thread with a small stack, as a program may have them.
    [TestMethod]
    [DataRow("{% macro f(n) %}{% if true %}{{ [[[f(n + 1)]]] }}{% endif %}{% endmacro %}{{ f(0) }}")]
    [DataRow("{% set ns = namespace(l=[]) %}{% for i in range(100000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")]
    public void A_small_stack_does_not_overflow(string source)
    {
        Exception? error = null;
        var thread = new Thread(() => error = Assert.Throws<Exception>(() => new ChatTemplate(With(source))), maxStackSize: 256 << 10);
        thread.Start();
        thread.Join();
        Assert.IsInstanceOfType<InvalidDataException>(error);
        Assert.Contains("it nests too deeply", error.Message);
    }

    // A template that behaves until it is asked for a long chat.
    [TestMethod]
    public void A_template_that_waits_for_a_chat_is_stopped_too()
    {
        const string Patient = "{% for m in messages %}{{ m.content }}{% if m.content == 'go' %}{% for i in range(3000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}{% endif %}{% endfor %}";
        var template = new ChatTemplate(With(Patient));
        var error = Assert.ThrowsExactly<InvalidDataException>(() => template.Encode([new ChatMessage("user", "go"), new ChatMessage("assistant", "no")]));
        Assert.StartsWith("chat_template, line 1: the template is stopped, since it ", error.Message);
    }

    // Cut and altered anywhere, as random bytes alter it: it is used, or refused in words.
    [TestMethod]
    [DataRow("llama3")]
    [DataRow("qwen3")]
    [DataRow("mistral")]
    [DataRow("macros")]
    public void An_altered_template_is_used_or_refused_in_words(string family)
    {
        byte[] original = Encoding.UTF8.GetBytes(JinjaGoldenSource(family));
        TestContext.WriteLine(HostileFile.Strike(original, FileFormat.Binary, Attack.Scale(1_000), ["chat_template", "chat template"], bytes =>
        {
            HuggingFaceTokenizer tokenizer = Tokenization.Chat.ChatFamily.Tokenizer(family);
            var template = new ChatTemplate(HuggingFaceTokenizer.Create([.. tokenizer.Files, new TokenizerFile("chat_template.jinja", bytes)]));
            _ = template.Encode([new ChatMessage("user", "so?"), new ChatMessage("assistant", "yes"), new ChatMessage("user", "and?"), new ChatMessage("assistant", "no")]);
        }));
    }

    private static string JinjaGoldenSource(string family) => Tokenization.Chat.JinjaGolden.Source(family);

    private static HuggingFaceTokenizer With(string template) => HuggingFaceTokenizer.Create(
    [
        Golden.Tokenizer("qwen2").Files[0],
        new TokenizerFile("tokenizer_config.json", JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["eos_token"] = "<|endoftext|>", ["chat_template"] = template })),
    ]);
}
