using System.Text.Json;
using MLNetExtension.Files;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads a <c>tokenizer.json</c>. An unknown component or option is an error that names it, and never ignored.</summary>
internal static class TokenizerJsonReader
{
    /// <summary>The file's usual name.</summary>
    public const string FileName = "tokenizer.json";

    // More than any published file has, and few enough to be read in seconds.
    private const int MaximumAddedTokens = 1 << 18;
    private const int MaximumAddedTokenLength = 256;

    private static readonly Dictionary<string, Func<JsonObjectReader, TokenModel>> Models = new() { ["BPE"] = ReadBytePairs, ["Unigram"] = ReadUnigram };

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NotSupportedException">A component or an option is not known.</exception>
    public static TokenizerDefinition Read(ReadOnlyMemory<byte> content) => JsonFile.Read(content, FileName, root => Read(new JsonObjectReader(root, FileName)));

    private static TokenizerDefinition Read(JsonObjectReader root)
    {
        root.Require("version", "\"1.0\"");
        // Left by save_pretrained after a call with either; rows are truncated and padded elsewhere.
        string[] ignored = [.. new[] { "truncation", "padding" }.Where(name => root.FindObject(name) is not null)];
        PreTokenizerReader.Words words = PreTokenizerReader.Read(root.FindObject("pre_tokenizer"));
        TokenDecoder? decoder = DecoderReader.Read(root.GetObject("decoder"));
        if (words.AreBytes != decoder is null)
            throw new NotSupportedException($"{FileName}: only one of 'pre_tokenizer' and 'decoder' is ByteLevel, which is not supported.");

        PostProcessorReader.Template template = PostProcessorReader.Read(root.FindObject("post_processor"));
        TokenizerDefinition definition = new()
        {
            Model = ReadModel(root.GetObject("model")),
            AddedTokens = ReadAddedTokens(root),
            Normalizer = NormalizerReader.Read(root.FindObject("normalizer")),
            Steps = words.Steps,
            Decoder = decoder,
            Prefix = template.Prefix,
            Suffix = template.Suffix,
            Ignored = ignored,
        };
        root.RefuseUnread();
        definition.Validate(FileName);
        return definition;
    }

    // The oldest files name no type.
    private static TokenModel ReadModel(JsonObjectReader model) => model.GetChoice("type", Models, "BPE")(model);

    private static BytePairModel ReadBytePairs(JsonObjectReader model)
    {
        model.Require("dropout", "0.0");
        model.Require("continuing_subword_prefix", "\"\"");
        model.Require("end_of_word_suffix", "\"\"");
        var pairs = new BytePairModel
        {
            Vocabulary = model.GetObject("vocab").ReadIds(),
            Merges = [.. model.GetItems("merges").Select((merge, rank) => ReadMerge(model, merge, rank))],
            IgnoresMerges = model.GetBoolean("ignore_merges", false),
            HasByteFallback = model.GetBoolean("byte_fallback", false),
            UnknownToken = model.FindString("unk_token"),
            FusesUnknown = model.GetBoolean("fuse_unk", false),
        };
        model.RefuseUnread();
        return pairs;
    }

    private static UnigramModel ReadUnigram(JsonObjectReader model)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var scores = new List<double>();
        foreach (JsonElement piece in model.GetItems("vocab"))
        {
            bool isPiece = piece.ValueKind == JsonValueKind.Array && piece.GetArrayLength() == 2 && piece[0].ValueKind == JsonValueKind.String && piece[1].ValueKind == JsonValueKind.Number;
            double score = isPiece ? PieceScore.Parse(piece[1].GetRawText()) : double.NaN;
            if (!double.IsFinite(score))
                throw model.Unexpected($"vocab[{scores.Count}]", piece, "a text and a finite number");
            if (!vocabulary.TryAdd(piece[0].GetString()!, scores.Count))
                throw new InvalidDataException($"{model.Name}: the piece '{Excerpt.Of(piece[0].GetString()!)}' is there twice.");

            scores.Add(score);
        }

        var unigram = new UnigramModel { Vocabulary = vocabulary, Scores = scores, UnknownId = model.GetInteger("unk_id", minimum: 0), HasByteFallback = model.GetBoolean("byte_fallback", false) };
        model.RefuseUnread();
        return unigram;
    }

    // Files up to 2024 write a merge as "left right", later ones as ["left", "right"].
    private static (string Left, string Right) ReadMerge(JsonObjectReader model, JsonElement merge, int rank)
    {
        string?[] pair = merge.ValueKind switch
        {
            JsonValueKind.String => (string?[])merge.GetString()!.Split(' '),
            JsonValueKind.Array => [.. merge.EnumerateArray().Select(part => part.ValueKind == JsonValueKind.String ? part.GetString() : null)],
            _ => [],
        };
        return pair is [{ Length: > 0 } left, { Length: > 0 } right]
            ? (left, right)
            : throw model.Unexpected($"merges[{rank}]", merge, "\"left right\" or [\"left\", \"right\"]");
    }

    private static AddedToken[] ReadAddedTokens(JsonObjectReader root)
    {
        int count = root.GetItems("added_tokens").Count;
        return count <= MaximumAddedTokens ? [.. root.GetObjects("added_tokens").Select(ReadAddedToken)]
            : throw new NotSupportedException($"{root.Name}: 'added_tokens' has {count} tokens, expected at most {MaximumAddedTokens}.");
    }

    private static AddedToken ReadAddedToken(JsonObjectReader token)
    {
        var added = new AddedToken(token.GetInteger("id", minimum: 0), token.GetString("content"), token.GetBoolean("special", false), token.GetBoolean("normalized", true))
        {
            StripsLeft = token.GetBoolean("lstrip", false),
            StripsRight = token.GetBoolean("rstrip", false),
            IsSingleWord = token.GetBoolean("single_word", false),
        };
        token.RefuseUnread();
        return added.Content.Length <= MaximumAddedTokenLength ? added
            : throw new NotSupportedException($"{token.Name}: 'content' has {added.Content.Length} characters, expected at most {MaximumAddedTokenLength}.");
    }
}
