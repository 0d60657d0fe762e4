using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MLNetExtension.Data;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.Chat.Jinja;

namespace MLNetExtension.Tests.Tokenization.Chat;

/// <summary>What <c>Templates/make_golden.py</c> wrote: templates, chats, and what Jinja2 makes of them.</summary>
internal static class JinjaGolden
{
    public static readonly DateTimeOffset Now = new(2026, 3, 5, 14, 7, 9, TimeSpan.Zero);

    public static readonly Dictionary<string, string> NamedTokens = new() { ["bos_token"] = "<bos>", ["eos_token"] = "<eos>" };

    private static readonly Lazy<ChatConversation[]> AllConversations =
        new(() => [.. Read("conversations.json").EnumerateArray().Select((chat, row) => ChatMessages.Parse(chat.GetRawText(), row))]);

    public static string Folder => Path.Combine(SourceTree.Root, "tests", "MLNetExtension.Tests", "Tokenization", "Chat", "Templates");

    public static IReadOnlyList<ChatConversation> Conversations => AllConversations.Value;

    public static IEnumerable<string> Families => Directory.EnumerateFiles(Folder, "*.jinja").Select(path => Path.GetFileNameWithoutExtension(path)).Order();

    public static string Source(string family) => File.ReadAllText(Path.Combine(Folder, family + ".jinja"));

    public static JsonElement Read(string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, name)));
        return document.RootElement.Clone();
    }

    /// <summary>Renders as the golden files say it: '=' and the text; '!' and the words with which the template refuses the chat; '?' for any other error.</summary>
    public static string Render(JinjaTemplate template, IReadOnlyDictionary<string, object?> variables, out IReadOnlyList<(int Start, int End)> marks)
    {
        marks = [];
        try
        {
            TracedText text = template.Render(variables, new RenderBudget(100_000), Now);
            marks = Marks(text);
            return "=" + text.Value;
        }
        catch (Exception error) when (error is InvalidDataException or NotSupportedException)
        {
            return error.InnerException is JinjaException { Fault: JinjaFault.Raised } raised ? "!" + raised.Message : "?" + error.Message;
        }
    }

    public static string Digest(string rendered) => rendered[0] switch
    {
        '=' => "=" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(rendered[1..])))[..12],
        '?' => "?",
        _ => rendered,
    };

    public static string Describe(IEnumerable<(int Start, int End)> marks) => string.Concat(marks.Select(mark => string.Create(CultureInfo.InvariantCulture, $" {mark.Start}-{mark.End}")));

    // In code points, as Python counts; those that touch are one.
    private static List<(int Start, int End)> Marks(TracedText text)
    {
        List<(int Start, int End)> marks = [];
        int from = 0, start = 0;
        foreach (TextRun run in text.Runs)
        {
            int end = start + text.Value[from..run.End].EnumerateRunes().Count();
            if (run.Origin.IsGenerated && marks.Count > 0 && marks[^1].End == start)
                marks[^1] = (marks[^1].Start, end);
            else if (run.Origin.IsGenerated)
                marks.Add((start, end));
            (from, start) = (run.End, end);
        }

        return marks;
    }
}
