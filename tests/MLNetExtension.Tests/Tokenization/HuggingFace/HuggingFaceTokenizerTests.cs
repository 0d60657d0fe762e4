using System.Buffers;
using System.Text;
using Microsoft.ML.Tokenizers;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tests.Tokenization.HuggingFace;

[TestClass]
public sealed class HuggingFaceTokenizerTests
{
    private static readonly HuggingFaceTokenizer Gpt2 = Golden.Tokenizer("gpt2");
    private static readonly HuggingFaceTokenizer Llama3 = Golden.Tokenizer("llama3");
    private static readonly HuggingFaceTokenizer Qwen2 = Golden.Tokenizer("qwen2");

    // Lone surrogates included. Seen to fail with Encoding.UTF8 in place of Wtf8.
    [TestMethod]
    public void Every_string_comes_back_from_its_ids() => Texts.ForAll(
        Texts.Any, text => Gpt2.Decode(Gpt2.EncodeText(text)) == text
            && Llama3.Decode(Llama3.EncodeText(text)) == text
            && Llama3.Decode(Llama3.EncodeToIds(text), considerSpecialTokens: true) == text
            && Qwen2.Decode(Qwen2.EncodeText(text)) == Qwen2.Normalizer!.Normalize(text));

    [TestMethod]
    public void The_pieces_of_a_stream_together_are_the_whole() => Texts.ForAll(Texts.Any, text =>
    {
        IReadOnlyList<int> ids = Llama3.EncodeToIds(text + "<|eot_id|>" + text);
        StreamingDecoder decoder = new StreamingDecoder(Llama3);
        string[] pieces = [.. ids.Select(decoder.Append), decoder.Flush()];
        string[] given = [.. pieces.Where(piece => piece.Length > 0)];
        return string.Concat(pieces) == Llama3.Decode(ids)
            && !given.Zip(given.Skip(1)).Any(pair => char.IsSurrogatePair(pair.First[^1], pair.Second[0]));
    });

    [TestMethod]
    public void A_character_that_a_special_token_leaves_incomplete_is_invalid()
    {
        int[] emoji = [.. Gpt2.EncodeText("\U0010FFFF")];
        Assert.IsGreaterThan(1, emoji.Length);
        int[] ids = [emoji[0], Gpt2.EndOfTextId, .. Gpt2.EncodeText("a")];
        StreamingDecoder decoder = new StreamingDecoder(Gpt2);
        Assert.AreEqual("\uFFFDa", Gpt2.Decode(ids));
        Assert.AreEqual("\uFFFDa", string.Concat(ids.Select(decoder.Append)) + decoder.Flush());
    }

    // Bits per byte rest on this.
    [TestMethod]
    public void The_bytes_of_the_tokens_are_those_of_the_text() => Texts.ForAll(Texts.Any, text =>
        Llama3.EncodeText(text).Sum(Llama3.ByteCount) == Encoding.UTF8.GetByteCount(text)
        && Llama3.ByteCount(Llama3.BeginningOfTextId!.Value) == 0);

    [TestMethod]
    public void Tokens_carry_the_ids_and_the_text() => Texts.ForAll(Texts.Any, text =>
    {
        IReadOnlyList<EncodedToken> tokens = Llama3.EncodeToTokens(text, out string? normalized);
        bool hasNoGap = tokens.Count == 0
            ? text.Length == 0
            : tokens[0].Offset.Start.Value == 0 && tokens[^1].Offset.End.Value == text.Length
                && tokens.Zip(tokens.Skip(1)).All(pair => pair.Second.Offset.Start.Value <= pair.First.Offset.End.Value);
        return normalized is null && hasNoGap && tokens.Select(token => token.Id).SequenceEqual(Llama3.EncodeToIds(text))
            && Llama3.CountTokens(text) == tokens.Count && Llama3.EncodeToIds(text.AsSpan()).SequenceEqual(Llama3.EncodeToIds(text));
    });

    [TestMethod]
    public void A_limit_from_either_end_keeps_whole_characters() => Texts.ForAll(Texts.Any, text =>
    {
        int maximum = new Random(text.Length).Next(1, 12);
        IReadOnlyList<int> all = Llama3.EncodeToIds(text);
        IReadOnlyList<int> ids = Llama3.EncodeToIds(text, maximum, out _, out int consumed);
        int head = Llama3.GetIndexByTokenCount(text, maximum, out _, out int headCount);
        int tail = Llama3.GetIndexByTokenCountFromEnd(text, maximum, out _, out int tailCount);
        return ids.Count <= maximum && ids.SequenceEqual(all.Take(ids.Count)) && Llama3.Decode(ids, considerSpecialTokens: true) == text[..consumed]
            && head == consumed && headCount == ids.Count && tailCount <= maximum
            && Llama3.Decode(all.Skip(all.Count - tailCount), considerSpecialTokens: true) == text[tail..];
    });

    [TestMethod]
    public void Small_spans_one_after_the_other_get_the_text() => Texts.ForAll(Texts.WellFormed, text =>
    {
        IReadOnlyList<int> ids = Gpt2.EncodeText(text);
        var all = new StringBuilder();
        var buffer = new char[40];
        IEnumerable<int> rest = ids;
        OperationStatus status;
        do
        {
            status = Gpt2.Decode(rest, buffer, out int consumed, out int written);
            all.Append(buffer, 0, written);
            rest = rest.Skip(consumed).ToArray();
        }
        while (status == OperationStatus.DestinationTooSmall);
        return status == OperationStatus.Done && all.ToString() == text;
    });

    [TestMethod]
    public void Many_threads_may_use_one_tokenizer()
    {
        string[] lines = Golden.Corpus.Split('\n');
        int[][] expected = [.. lines.Select(line => Qwen2.EncodeText(line).ToArray())];
        HuggingFaceTokenizer fresh = HuggingFaceTokenizer.Create(Qwen2.Files);
        Parallel.For(0, 8 * lines.Length, i => CollectionAssert.AreEqual(expected[i % lines.Length], fresh.EncodeText(lines[i % lines.Length]).ToArray()));
    }

    [TestMethod]
    public void The_roles_of_tokens_come_from_the_configuration()
    {
        Assert.AreEqual(Gpt2.SpecialTokens["<|endoftext|>"], Gpt2.EndOfTextId);
        Assert.IsNull(Gpt2.BeginningOfTextId);
        Assert.AreEqual(Llama3.SpecialTokens["<|eot_id|>"], Llama3.EndOfTextId);
        Assert.AreEqual(Qwen2.SpecialTokens["<|im_end|>"], Qwen2.EndOfTextId);
        Assert.AreEqual(Qwen2.Vocabulary.Count + 5, Qwen2.VocabularySize);
    }

    [TestMethod]
    public void A_tokenizer_that_ML_NET_asks_not_to_normalize_does_not()
    {
        Assert.AreEqual("e\u0301", Qwen2.Decode(Qwen2.EncodeToIds("e\u0301", considerNormalization: false)));
        Qwen2.EncodeToTokens("e\u0301", out string? normalized);
        Assert.AreEqual("é", normalized);
    }

    [TestMethod]
    public void An_unknown_id_is_an_error_that_names_it()
    {
        int id = Gpt2.VocabularySize;
        Assert.Contains($"Token id {id} ", Assert.ThrowsExactly<InvalidOperationException>(() => Gpt2.Decode([id])).Message);
        Assert.ThrowsExactly<InvalidOperationException>(() => new StreamingDecoder(Gpt2).Append(-1));
        Assert.ThrowsExactly<InvalidOperationException>(() => Gpt2.ByteCount(id));
        Assert.AreEqual(OperationStatus.InvalidData, Gpt2.Decode([65, id], new char[9], out int consumed, out _));
        Assert.AreEqual(1, consumed);
    }

    [TestMethod]
    public void A_limit_that_is_not_positive_is_refused()
    {
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Gpt2.EncodeToIds("a", 0, out _, out _));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => Gpt2.GetIndexByTokenCountFromEnd("a", -1, out _, out _));
    }
}
