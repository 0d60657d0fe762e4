using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.RegularExpressions;
using MLNetExtension.Files;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tokenization.HuggingFace;

/// <summary>Reads the <c>tokenizer.model</c> that Meta publishes Llama 3 with: tiktoken's text format, a token in base64 and its rank on each line. The special tokens and the pattern are in Meta's code, and here.</summary>
/// <remarks>Two neighbours are merged where together they are a token, those of the lowest rank first; a word that is a token stays whole. Source: <c>models/llama3/tokenizer.py</c> of https://github.com/meta-llama/llama-models.</remarks>
internal static partial class TiktokenModel
{
    /// <summary>The token that begins a text.</summary>
    public const string BeginningOfText = "<|begin_of_text|>";

    /// <summary>The token that ends a text.</summary>
    public const string EndOfText = "<|end_of_text|>";

    // Llama 3 has as many; Llama 4, with more, has another pattern and other special tokens.
    private const int MaximumTokens = 128_000;
    private const int MaximumTokenLength = 256;
    private const int SpecialTokenCount = 256;
    private const int FirstReserved = 2;

    private static readonly string[] SpecialTokens =
    [
        BeginningOfText, EndOfText, "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>",
        "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>",
    ];

    /// <summary>Whether a file is in the format.</summary>
    public static bool IsIn(TokenizerFile file) => FirstLine().IsMatch(Encoding.ASCII.GetString(file.Content.Span[..Math.Min(file.Content.Length, 2 * MaximumTokenLength)]));

    /// <summary>Reads a file, and writes the <c>tokenizer.json</c> that says the same.</summary>
    /// <exception cref="InvalidDataException">It is damaged; the message names file and line.</exception>
    /// <exception cref="NotSupportedException">It is not Llama 3's.</exception>
    public static TokenizerFile ToJson(TokenizerFile file)
    {
        Dictionary<string, int> vocabulary = ReadTokens(file);
        IEnumerable<string> reserved = Enumerable.Range(FirstReserved, SpecialTokenCount - SpecialTokens.Length).Select(number => $"<|reserved_special_token_{number}|>");
        AddedToken[] special = [.. SpecialTokens.Concat(reserved).Select((content, index) => new AddedToken(vocabulary.Count + index, content))];
        var model = new BytePairModel { Vocabulary = vocabulary, Merges = FindMerges(vocabulary), IgnoresMerges = true };
        new TokenizerDefinition { Model = model, AddedTokens = special }.Validate(file.Name);
        return TokenizerJsonWriter.Write(model, special, SplitPatterns.Llama3, special[0]);
    }

    // The ranks are the numbers of the lines.
    private static Dictionary<string, int> ReadTokens(TokenizerFile file)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        ReadOnlySpan<byte> content = file.Content.Span;
        foreach (Range range in content.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = content[range].TrimEnd((byte)'\r');
            if (line.IsEmpty && range.End.Equals(content.Length))
                break;
            if (vocabulary.Count == MaximumTokens)
                throw new NotSupportedException($"{file.Name} has more than {MaximumTokens} tokens, so it is not Llama 3's; tiktoken's format is read of Llama 3 alone.");
            if (ReadToken(line, vocabulary.Count) is not { } token || !vocabulary.TryAdd(token, vocabulary.Count))
            {
                throw new InvalidDataException(
                    $"{file.Name}, line {vocabulary.Count + 1}: \"{Excerpt.Of(Encoding.Latin1.GetString(line))}\", expected a token in base64 that was not there before, a space, and the rank {vocabulary.Count}.");
            }
        }

        return vocabulary;
    }

    private static string? ReadToken(ReadOnlySpan<byte> line, int rank)
    {
        int space = line.IndexOf((byte)' ');
        Span<byte> bytes = stackalloc byte[MaximumTokenLength];
        if (space <= 0 || !Utf8Parser.TryParse(line[(space + 1)..], out int number, out int read) || number != rank || read != line.Length - space - 1)
            return null;

        bool isToken = Base64.DecodeFromUtf8(line[..space], bytes, out int consumed, out int count) == OperationStatus.Done && consumed == space && count > 0;
        return isToken ? string.Create(count, bytes[..count], static (chars, from) =>
        {
            for (int i = 0; i < from.Length; i++)
                chars[i] = ByteAlphabet.GetChar(from[i]);
        }) : null;
    }

    // Every way in which two tokens make a third, by the rank of the third. Hugging Face's converter orders those that make the same token by the ids of the two, as here.
    private static List<(string Left, string Right)> FindMerges(Dictionary<string, int> vocabulary)
    {
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(string Left, string Right)>();
        foreach ((string token, _) in vocabulary.OrderBy(entry => entry.Value))
        {
            var ways = new List<(int Left, int Right, int Length)>();
            for (int length = 1; length < token.Length; length++)
            {
                if (ids.TryGetValue(token.AsSpan(0, length), out int left) && ids.TryGetValue(token.AsSpan(length), out int right))
                    ways.Add((left, right, length));
            }

            merges.AddRange(ways.Order().Select(way => (token[..way.Length], token[way.Length..])));
        }

        return merges;
    }

    [GeneratedRegex(@"^[A-Za-z0-9+/]+={0,2} [0-9]+\r?\n")]
    private static partial Regex FirstLine();
}
