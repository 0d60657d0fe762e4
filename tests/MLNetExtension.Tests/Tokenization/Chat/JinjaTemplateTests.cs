using System.Text.Json;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tests.Tokenization.Chat;

/// <summary>The interpreter of templates against Jinja2, whose results <c>make_golden.py</c> keeps.</summary>
[TestClass]
public sealed class JinjaTemplateTests
{
    public static IEnumerable<object[]> Families => JinjaGolden.Families.Select(name => new object[] { name });

    // 200 chats with tools, thoughts, broken orders, texts of any script and texts that are marks themselves; without and with the prompt for an answer. Refusals have the template's own words.
    [TestMethod]
    [DynamicData(nameof(Families))]
    public void A_family_s_template_writes_what_Jinja2_writes(string family)
    {
        JinjaTemplate template = JinjaTemplate.Parse(JinjaGolden.Source(family), family);
        string[] expected = [.. JinjaGolden.Read("rendered.json").GetProperty(family).EnumerateArray().Select(row => row.GetString()!)];
        Assert.HasCount(2 * JinjaGolden.Conversations.Count, expected);
        Assert.IsGreaterThan(expected.Length / 2, expected.Count(row => row[0] == '='), "most are rendered");

        for (int i = 0; i < expected.Length; i++)
        {
            ChatConversation chat = JinjaGolden.Conversations[i / 2];
            Dictionary<string, object?> variables = new ChatVariables(chat, JinjaGolden.NamedTokens).Create(chat.Messages.Count, addGenerationPrompt: i % 2 == 1);
            string rendered = JinjaGolden.Render(template, variables, out var marks);
            Assert.AreEqual(Merge(expected[i]), JinjaGolden.Digest(rendered) + JinjaGolden.Describe(marks), $"{family}, chat {i / 2}, prompt {i % 2}: {rendered}");
        }
    }

    // Every operator, filter, test, method and statement, right and wrong uses of them, and 400 random layouts of tags and white space.
    [TestMethod]
    public void Constructs_give_what_Jinja2_gives()
    {
        JsonElement golden = JinjaGolden.Read("constructs.json");
        var wrong = new List<string>();
        foreach (JsonElement construct in golden.GetProperty("constructs").EnumerateArray())
        {
            string source = construct.GetProperty("source").GetString()!, expected = construct.GetProperty("result").GetString()!;
            var variables = golden.GetProperty("data").EnumerateObject()
                .ToDictionary(property => property.Name, property => ChatVariables.Value(property.Value, new TextOrigin(TextOrigin.Template)));
            string rendered = Render(source, variables, out var marks);
            string expectedMarks = construct.TryGetProperty("marks", out JsonElement spans) ? Merge(string.Concat(spans.EnumerateArray().Select(span => $" {span[0]}-{span[1]}"))) : "";
            if ((expected[0] == '?' ? "?" : expected) != (rendered[0] == '?' ? "?" : rendered) || expectedMarks != JinjaGolden.Describe(marks))
                wrong.Add($"{source}\n  expected {expected}{expectedMarks}\n  found    {rendered}{JinjaGolden.Describe(marks)}");
        }

        Assert.IsEmpty(wrong, $"{wrong.Count} differ:\n{string.Join("\n", wrong)}");
    }

    [TestMethod]
    [DataRow("a\n{{ x.y }}", "chat_template, line 2: 'x' is undefined.")]
    [DataRow("a\n\n{% if true %}", "chat_template, line 3: the template ends, expected '{% elif %}' or '{% else %}' or '{% endif %}'.")]
    [DataRow("{{ 1 +\n }}", "chat_template, line 2: found '}}', expected an expression.")]
    [DataRow("{{ 'a }}", "chat_template, line 1: a string does not end.")]
    [DataRow("\n{{ raise_exception('no system message') }}", "chat_template, line 2: the template refuses the chat: no system message")]
    [DataRow("{{ 'a' + 1 }}", "chat_template, line 1: '+' does not work on values of type 'str' and 'int'.")]
    [DataRow("{{ 5 | nonsense }}", "chat_template, line 1: there is no filter 'nonsense'.")]
    [DataRow("{% set m = messages %}\n{{ m.append(1) }}", "chat_template, line 2: 'append' would change a list, which templates may not.")]
    public void An_error_names_template_line_and_fault(string source, string message)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Run(source));
        Assert.AreEqual(message, error.Message);
    }

    [TestMethod]
    [DataRow("{{ 'a b' | urlize }}", "chat_template, line 1: the filter 'urlize' is not supported; known are abs,")]
    [DataRow("\n{% include 'other' %}", "chat_template, line 2: the tag 'include' is not supported.")]
    public void What_Jinja_has_and_this_library_has_not_is_refused_by_name(string source, string message) =>
        Assert.StartsWith(message, Assert.ThrowsExactly<NotSupportedException>(() => Run(source)).Message);

    [TestMethod]
    [DataRow("{{ m }}", "c")]
    [DataRow("<{{ m.strip() }}>", "tct")]
    [DataRow("{{ '<' + m[1:2] + '>' }}", "tct")]
    [DataRow("{{ m | upper | replace('A', 'b') }}", "ctctc")]
    [DataRow("{{ m.split('a')[1] ~ m.title() }}", "c")]
    [DataRow("{{ [m] }}", "tct")]
    [DataRow("{{ {'k': m} | tojson }}", "tct")]
    [DataRow("{% macro f(x) %}({{ x }}){% endmacro %}{{ f(m) }}", "tct")]
    [DataRow("{% set s %}a{{ m }}{% endset %}{{ s }}", "tc")]
    [DataRow("{{ '%s!' % m }}{{ '{}'.format(m) }}", "ctc")]
    [DataRow("{{ m | length }}{{ m == 'x' }}", "t")]
    [DataRow("{% for c in m %}{{ c }}{% endfor %}", "c")]
    [DataRow("{{ m | indent(2) | e }}", "c")]
    [DataRow("{{ ['a', m] | join('-') }}", "tc")]
    public void Characters_of_a_message_are_known_as_such_whatever_is_done_with_them(string source, string expected)
    {
        var variables = new Dictionary<string, object?> { ["m"] = TracedText.Of(" xaya ", new TextOrigin(3)) };
        TracedText text = JinjaTemplate.Parse(source, "t").Render(variables, new RenderBudget(100), JinjaGolden.Now);
        Assert.AreEqual(expected, string.Concat(text.Runs.Select(run => run.Origin.IsContent ? 'c' : 't')), text.Value);
    }

    private static void Run(string source) => JinjaTemplate.Parse(source, "chat_template")
        .Render(new Dictionary<string, object?> { ["messages"] = new PythonSequence([]) }, new RenderBudget(100), JinjaGolden.Now);

    private static string Render(string source, Dictionary<string, object?> variables, out IReadOnlyList<(int Start, int End)> marks)
    {
        marks = [];
        try
        {
            return JinjaGolden.Render(JinjaTemplate.Parse(source, "construct"), variables, out marks);
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException)
        {
            return "?" + error.Message;
        }
    }

    // Marks that touch are one here.
    private static string Merge(string described)
    {
        if (described.StartsWith('!') || described.StartsWith('?'))
            return described;
        string[] parts = described.Split(' ');
        List<string[]> marks = [];
        foreach (string[] mark in parts[1..].Select(part => part.Split('-')))
        {
            if (mark[0] == mark[1])
                continue;
            if (marks.Count > 0 && marks[^1][1] == mark[0])
                marks[^1][1] = mark[1];
            else
                marks.Add(mark);
        }

        return parts[0] + string.Concat(marks.Select(mark => $" {mark[0]}-{mark[1]}"));
    }
}
