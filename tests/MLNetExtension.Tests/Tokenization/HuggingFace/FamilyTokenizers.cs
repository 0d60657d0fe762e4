using System.Text;
using System.Text.Json.Nodes;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

/// <summary>A small <c>tokenizer.json</c> in the form of each family that is not GPT-2's, made from the corpus of the golden files.</summary>
internal static class FamilyTokenizers
{
    private const char Space = '\u2581';

    private const string Replace = """{"type":"Replace","pattern":{"String":" "},"content":"▁"}""";
    private const string Words = """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""";

    private static readonly Dictionary<string, Lazy<Family>> Families = new()
    {
        ["llama2"] = new(() => new(Make(Pairs(bytes: true), $$"""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{{Replace}}]}""", null, Words, Begin))),
        ["mistral"] = new(() => new(Make(Pairs(bytes: true), null, """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""", Words, Begin))),
        ["gemma2"] = new(() => new(Make(
            Pairs(bytes: true), Replace, """{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}""",
            """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}""", Begin,
            """{"content":"<start_of_turn>","special":true}""", """{"content":"\n\n","special":false}""", """{"content":"the cat","special":false}"""))),
        ["phi3"] = new(() => new(Make(
            Pairs(bytes: true), $$"""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{{Replace}}]}""", null, Words, null,
            """{"content":"<|user|>","special":true,"rstrip":true}""", """{"content":"<|end|>","special":true,"lstrip":true,"rstrip":true}""", """{"content":"word","special":false,"single_word":true}"""))),
        ["t5"] = new(() => new(Make(
            Unigram(bytes: false), Precompiled("unigram"), """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","add_prefix_space":true,"str_rep":"▁"}]}""",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}""", End, """{"content":"<extra_id_0>","special":true,"lstrip":true}"""), Suffix: 1)),
        ["xlmr"] = new(() => new(Make(
            Unigram(bytes: false),
            $$"""{"type":"Sequence","normalizers":[{{Precompiled("normalized")}},{"type":"Strip","strip_left":false,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}""",
            """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", null))),
        ["unigram_whole"] = new(() => new(Make(
            Unigram(bytes: true), """{"type":"NFKC"}""", """{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}""",
            """{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}]}""", null))),
        ["unknown"] = new(() => new(Make(
            Pairs(bytes: false, unknown: "<unk>"), """{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"},{"type":"Strip","strip_left":true,"strip_right":true}]}""",
            """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[0-9一-鿿]"},"behavior":"Contiguous","invert":false},{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithNext","invert":false},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}]}""",
            """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"Regex":"▁"},"content":" "},{"type":"Fuse"}]}""", Begin))),
        ["fused"] = new(() => new(Make(
            Pairs(bytes: false, unknown: "<unk>", fuses: true), """{"type":"NFKD"}""", null, """{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"▁"},"content":" "}]}""", null))),
        ["dropped"] = new(() => new(Make(Pairs(bytes: false), Replace, null, """{"type":"Fuse"}""", null))),
        ["prefixed"] = new(() => new(Prefixed())),
    };

    private static readonly Lazy<List<(string Left, string Right)>> Trained = new(Train);

    /// <summary>The tokenizers' names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Families.Keys];

    private static string Begin => """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}}""";

    private static string End => """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}}""";

    /// <summary>A tokenizer's file, and how many ids its post-processor puts behind a text.</summary>
    public static Family Of(string name) => Families[name].Value;

    public static ILanguageTokenizer Load(string name) => TokenizerFolder.Load([new TokenizerFile("tokenizer.json", Encoding.UTF8.GetBytes(Of(name).Json))]);

    /// <summary>The same file with special tokens that no text has: so Hugging Face's library finds none.</summary>
    public static string WithoutSpecialTokens(string json)
    {
        JsonNode root = JsonNode.Parse(json)!;
        foreach (JsonNode? token in root["added_tokens"]!.AsArray().Where(token => token!["special"]!.GetValue<bool>()))
        {
            string content = token!["content"]!.GetValue<string>(), other = "\uF8FF" + content;
            token["content"] = other;
            Rename(root["model"]!, content, other);
        }

        return root.ToJsonString();
    }

    private static void Rename(JsonNode model, string token, string other)
    {
        if (model["unk_token"] is JsonValue unknown && unknown.GetValue<string>() == token)
            model["unk_token"] = other;
        if (model["vocab"] is JsonArray pieces)
            pieces.FirstOrDefault(piece => piece![0]!.GetValue<string>() == token)?.AsArray().SetItem(0, other);
        else if (model["vocab"]!.AsObject() is var ids && ids.TryGetPropertyValue(token, out JsonNode? id) && ids.Remove(token))
            ids[other] = id!.GetValue<int>();
    }

    private static void SetItem(this JsonArray array, int index, string value) => array[index] = value;

    private static string Make(JsonObject model, string? normalizer, string? preTokenizer, string decoder, string? processor, params string[] added)
    {
        int count = model["vocab"] is JsonArray pieces ? pieces.Count : model["vocab"]!.AsObject().Count;
        string[] contents = ["""{"content":"<unk>","special":true}""", """{"content":"<s>","special":true}""", """{"content":"</s>","special":true}""", .. added];
        var tokens = new JsonArray();
        foreach (string content in contents)
        {
            JsonObject token = JsonNode.Parse(content)!.AsObject();
            bool isPiece = model["vocab"] is JsonObject ids && ids.ContainsKey(token["content"]!.GetValue<string>());
            token["id"] = isPiece ? model["vocab"]![token["content"]!.GetValue<string>()]!.GetValue<int>() : tokens.Count < 3 ? tokens.Count : count++;
            foreach (string option in (string[])["single_word", "lstrip", "rstrip", "normalized"])
                token.TryAdd(option, false);
            tokens.Add(token);
        }

        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = tokens,
            ["normalizer"] = Parse(normalizer),
            ["pre_tokenizer"] = Parse(preTokenizer),
            ["post_processor"] = Parse(processor),
            ["decoder"] = Parse(decoder),
            ["model"] = model,
        }.ToJsonString();
    }

    private static JsonNode? Parse(string? json) => json is null ? null : JsonNode.Parse(json);

    private static string Prefixed()
    {
        JsonNode json = JsonNode.Parse(Golden.Json("gpt2"))!;
        json["pre_tokenizer"]!["add_prefix_space"] = true;
        json["normalizer"] = Parse("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"NFKC"}]}""");
        return json.ToJsonString();
    }

    // The rules of normalization that Google's library compiled for a golden model.
    private static string Precompiled(string model)
    {
        SentencePieceModel content = SentencePieceModel.Read(TestTokenizers.SentencePieceFile(model));
        return $$"""{"type":"Precompiled","precompiled_charsmap":"{{Convert.ToBase64String(content.Normalization.CharacterMap.Span)}}"}""";
    }

    private static JsonObject Pairs(bool bytes, string? unknown = null, bool fuses = false)
    {
        IEnumerable<string> merged = Trained.Value.Select(pair => pair.Left + pair.Right);
        string[] tokens = [.. new[] { "<unk>", "<s>", "</s>" }.Concat(bytes ? Bytes() : []).Concat(Characters()).Concat(merged).Distinct()];
        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = unknown ?? (bytes ? "<unk>" : null),
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = fuses,
            ["byte_fallback"] = bytes,
            ["vocab"] = new JsonObject(tokens.Select((token, id) => KeyValuePair.Create(token, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. Trained.Value.Select(pair => new JsonArray(pair.Left, pair.Right))]),
        };
    }

    private static List<(string Left, string Right)> Train()
    {
        var merges = new List<(string Left, string Right)>();
        List<string[]> words = [.. CorpusWords().Select(Split)];
        HashSet<string> known = [.. Characters()];
        while (merges.Count < 250 && Best(words, known) is { } pair)
        {
            merges.Add(pair);
            known.Add(pair.Left + pair.Right);
            words = [.. words.Select(word => Merge(word, pair))];
        }

        return merges;
    }

    private static JsonObject Unigram(bool bytes)
    {
        string[] words = [.. CorpusWords()];
        IEnumerable<string> parts = words.SelectMany(word => Enumerable.Range(0, word.Length).SelectMany(start => Enumerable.Range(1, Math.Min(6, word.Length - start)).Select(length => word.Substring(start, length))));
        var counts = parts.Where(part => !part.Any(char.IsSurrogate)).CountBy(part => part).Where(part => part.Value > 2).OrderByDescending(part => part.Value * part.Key.Length).ThenBy(part => part.Key, StringComparer.Ordinal).Take(400).ToList();
        // Equal counts give equal scores, so that ties decide.
        var pieces = counts.Select(part => (part.Key, Score: Math.Log(part.Value / 1000.0)))
            .Concat(Characters().Except(counts.Select(part => part.Key)).Select(character => (character, -8.0)));
        (string, double)[] all = [("<unk>", 0), ("<s>", 0), ("</s>", 0), .. bytes ? Bytes().Select(value => (value, -9.0)) : [], .. pieces];
        return new JsonObject
        {
            ["type"] = "Unigram",
            ["unk_id"] = 0,
            ["vocab"] = new JsonArray([.. all.Select(piece => new JsonArray(piece.Item1, piece.Item2))]),
            ["byte_fallback"] = bytes,
        };
    }

    private static IEnumerable<string> Bytes() => Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>");

    // Those that are rare stay unknown, and some of those that the tests use besides.
    private static IEnumerable<string> Characters() =>
        CorpusWords().SelectMany(Split).CountBy(character => character).Where(character => character.Value > 1).Select(character => character.Key).Union(["\n", "é", "中", "😀", "!", "0", "1", "2"]);

    private static IEnumerable<string> CorpusWords()
    {
        foreach (string word in Golden.Corpus.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            yield return Space + word;
        for (int i = 0; i < 5; i++)
            yield return new string(Space, 8) + "x";
    }

    private static string[] Split(string word) => [.. word.EnumerateRunes().Select(rune => rune.ToString())];

    private static (string Left, string Right)? Best(List<string[]> words, HashSet<string> known)
    {
        var pairs = words.SelectMany(word => word.Zip(word.Skip(1))).Where(pair => known.Contains(pair.First) && known.Contains(pair.Second)).CountBy(pair => pair);
        var best = pairs.Where(pair => pair.Value > 1).OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key.First + "\0" + pair.Key.Second, StringComparer.Ordinal).FirstOrDefault();
        return best.Value == 0 ? null : (best.Key.First, best.Key.Second);
    }

    private static string[] Merge(string[] word, (string Left, string Right) pair)
    {
        var merged = new List<string>();
        for (int i = 0; i < word.Length; i++)
        {
            bool meets = i + 1 < word.Length && word[i] == pair.Left && word[i + 1] == pair.Right;
            merged.Add(meets ? pair.Left + pair.Right : word[i]);
            i += meets ? 1 : 0;
        }

        return [.. merged];
    }

    /// <param name="Json">The content of <c>tokenizer.json</c>.</param>
    /// <param name="Suffix">How many ids the post-processor puts behind a text.</param>
    internal sealed record Family(string Json, int Suffix = 0);
}
