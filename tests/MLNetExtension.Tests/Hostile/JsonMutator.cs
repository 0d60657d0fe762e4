using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MLNetExtension.Tests.Hostile;

/// <summary>Alters a JSON text where it is parsed: a value, a key or a nesting. All else keeps its bytes.</summary>
internal static class JsonMutator
{
    private static readonly string[] Numbers =
    [
        "0", "-0", "-1", "1", "2", "3", "7", "65535", "2147483647", "2147483648", "-2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "1e9", "1e308", "1e999", "-1e999",
        "5e-324", "1e-30", "-1e-30", "0.5", "1.0000001", "-3.5", "123456789012345678901234567890", "NaN", "Infinity", "+1", "01",
    ];

    private static readonly string[] Values = ["null", "true", "false", "{}", "[]", "[null]", "{\"\":0}", "\"\"", "\"x\"", "0", "-1", "[[[[1]]]]", "[1,2,3]"];

    private static readonly string[] Strings =
    [
        "\"\"", "\" \"", "\"\\u0000\"", "\"a\\u0000.safetensors\"", "\"\\ud800\"", "\"\\udc00x\"", "\"..\"", "\"../x.safetensors\"", "\"/dev/zero\"", "\"a/b\"", "\"a\\\\b\"", "\"\\n\"", "\"F32\"", "\"gpt2\"",
        "\"\ud83d\ude00\"", "\"%s{0}\"", "\"" + new string('x', 300) + "\"", "\"\ud800\"", "'x'", "\"\t\"",
    ];

    private static readonly (string Name, Func<JsonSpans, Random, Edit?> Find)[] Changes =
    [
        ("number to extreme", (json, random) => Pick(json.Numbers, random)?.To(Numbers[random.Next(Numbers.Length)])),
        ("digit", (json, random) => Pick(json.Numbers, random)?.To(random.Next(100).ToString(CultureInfo.InvariantCulture))),
        ("string to odd one", (json, random) => Pick(json.Strings, random)?.To(Strings[random.Next(Strings.Length)])),
        ("value to null", (json, random) => Pick(json.Values, random)?.To("null")),
        ("value to another kind", (json, random) => Pick(json.Values, random)?.To(Values[random.Next(Values.Length)])),
        ("key removed", (json, random) => Pick(json.Members, random)?.To("")),
        ("key renamed", (json, random) => Pick(json.Keys, random)?.To(Strings[random.Next(Strings.Length)])),
        ("key twice", (json, random) => Pick(json.Members, random)?.After(", ")),
        ("key added", (json, random) => Pick(json.Members, random)?.With($"\"k{random.Next(1000)}\": {Values[random.Next(Values.Length)]}, ")),
        ("nesting deepened", (json, random) => Pick(json.Values, random)?.Nested(random.Next(2) == 0 ? random.Next(1, 8) : random.Next(8, 20_000))),
        ("value moved", (json, random) => Pick(json.Values, random)?.To(Pick(json.Values, random)!.Value.Text)),
        ("comment", (json, random) => Pick(json.Values, random)?.With("/* */ ")),
        ("trailing comma", (json, random) => Pick(json.Members, random)?.Followed(",")),
    ];

    /// <summary>Alters one place; where the JSON has no place for the alteration that was chosen, its bytes.</summary>
    public static Mutation Mutate(byte[] json, Random random)
    {
        JsonSpans spans = JsonSpans.Of(json);
        (string name, Func<JsonSpans, Random, Edit?> find) = Changes[random.Next(Changes.Length)];
        if (find(spans, random) is not { } edit)
            return Mutator.MutateBytes(json, random);
        byte[] put = Encoding.UTF8.GetBytes(edit.Text);
        string old = Encoding.UTF8.GetString(json, edit.From, edit.To - edit.From);
        return new Mutation(name, $"{name}: {Short(old)} at {edit.From} is {Short(edit.Text)}", [.. json[..edit.From], .. put, .. json[edit.To..]]);
    }

    private static Span? Pick(List<Span> spans, Random random) => spans.Count == 0 ? null : spans[random.Next(spans.Count)];

    private static string Short(string text) => text.Length <= 60 ? text : $"{text[..60]}... ({text.Length})";

    /// <summary>Bytes to replace, and by what.</summary>
    private readonly record struct Edit(int From, int To, string Text);

    /// <summary>Where something stands in the text.</summary>
    private readonly record struct Span(byte[] Json, int From, int End)
    {
        public string Text => Encoding.UTF8.GetString(Json, From, End - From);

        public Edit To(string text) => new(From, End, text);

        public Edit With(string before) => new(From, From, before);

        public Edit Followed(string after) => new(End, End, after);

        public Edit After(string separator) => new(End, End, separator + Text);

        public Edit Nested(int depth) => new(From, End, new string('[', depth) + Text + new string(']', depth));
    }

    /// <summary>The places of a JSON text.</summary>
    private sealed record JsonSpans(List<Span> Numbers, List<Span> Strings, List<Span> Values, List<Span> Keys, List<Span> Members)
    {
        public static JsonSpans Of(byte[] json)
        {
            JsonSpans spans = new([], [], [], [], []);
            Utf8JsonReader reader = new(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip });
            Stack<(int Start, int Key)> open = [];
            int key = -1;
            while (reader.Read())
            {
                int start = (int)reader.TokenStartIndex, end = (int)reader.BytesConsumed;
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        // The token ends with the colon; the key, with its quotation mark.
                        spans.Keys.Add(new Span(json, start, start + reader.ValueSpan.Length + 2));
                        key = start;
                        continue;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        open.Push((start, key));
                        key = -1;
                        continue;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        (start, key) = open.Pop();
                        break;
                    case JsonTokenType.Number:
                        spans.Numbers.Add(new Span(json, start, end));
                        break;
                    case JsonTokenType.String:
                        spans.Strings.Add(new Span(json, start, end));
                        break;
                }
                spans.Values.Add(new Span(json, start, end));
                if (key >= 0)
                    spans.Members.Add(new Span(json, key, end));
                key = -1;
            }
            return spans;
        }
    }
}
