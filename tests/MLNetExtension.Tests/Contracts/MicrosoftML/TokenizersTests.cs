using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

/// <summary>What the base class <see cref="Tokenizer"/> does with a tokenizer that overrides only what it must.</summary>
[TestClass]
public sealed class TokenizersTests
{
    private readonly CharTokenizer _tokenizer = new();

    [TestMethod]
    public void Ids_counts_and_tokens_all_come_from_the_tokens()
    {
        CollectionAssert.AreEqual(new[] { 97, 98 }, _tokenizer.EncodeToIds("AB").ToArray());
        CollectionAssert.AreEqual(new[] { 97, 98 }, _tokenizer.EncodeToIds("AB".AsSpan()).ToArray());
        CollectionAssert.AreEqual(new[] { 65, 66 }, _tokenizer.EncodeToIds("AB", considerNormalization: false).ToArray());
        Assert.AreEqual(3, _tokenizer.CountTokens("abc"));
        Assert.AreEqual(3, _tokenizer.CountTokens("abc".AsSpan()));
        IReadOnlyList<EncodedToken> tokens = _tokenizer.EncodeToTokens("AB", out string? normalized);
        Assert.AreEqual("ab", normalized);
        Assert.AreEqual(new EncodedToken(98, "b", 1..2), tokens[1]);
        _tokenizer.EncodeToTokens("AB".AsSpan(), out normalized, considerNormalization: false);
        Assert.IsNull(normalized);
    }

    [TestMethod]
    public void A_token_limit_says_how_much_text_was_used()
    {
        IReadOnlyList<int> ids = _tokenizer.EncodeToIds("ABCD", 3, out string? normalized, out int used);
        CollectionAssert.AreEqual(new[] { 97, 98, 99 }, ids.ToArray());
        Assert.AreEqual("abcd", normalized);
        Assert.AreEqual(3, used);
        Assert.AreEqual(2, _tokenizer.EncodeToIds("ab".AsSpan(), 9, out _, out used).Count);
        Assert.AreEqual(2, used);
    }

    [TestMethod]
    [DataRow("abcd", 3, 3, 3, 1)]
    [DataRow("abcd", 9, 4, 4, 0)]
    [DataRow("", 9, 0, 0, 0)]
    public void The_index_of_a_token_count_is_counted_from_either_end(string text, int limit, int count, int fromStart, int fromEnd)
    {
        Assert.AreEqual(fromStart, _tokenizer.GetIndexByTokenCount(text, limit, out string? normalized, out int tokens));
        Assert.AreEqual(count, tokens);
        Assert.AreEqual(text, normalized);
        Assert.AreEqual(fromEnd, _tokenizer.GetIndexByTokenCountFromEnd(text, limit, out _, out tokens));
        Assert.AreEqual(count, tokens);
        Assert.AreEqual(fromStart, _tokenizer.GetIndexByTokenCount(text.AsSpan(), limit, out _, out _, considerNormalization: false));
        Assert.AreEqual(fromEnd, _tokenizer.GetIndexByTokenCountFromEnd(text.AsSpan(), limit, out _, out _, considerPreTokenization: false));
    }

    [TestMethod]
    public void Decoding_grows_its_buffer_until_everything_fits()
    {
        int[] ids = [.. Enumerable.Repeat(120, 5000)];
        Assert.AreEqual(new string('x', 5000), _tokenizer.Decode(ids));
        Assert.AreEqual(new string('x', 5000), _tokenizer.Decode(ids.Where(_ => true)));
        Assert.AreEqual(new string('w', 3000), new CharTokenizer(width: 30).Decode(Enumerable.Repeat(119, 100)));
        Assert.AreEqual("", _tokenizer.Decode([]));
        Assert.AreEqual(OperationStatus.DestinationTooSmall, _tokenizer.Decode([97, 98], new char[1], out int used, out int written));
        Assert.AreEqual((1, 1), (used, written));
    }

    [TestMethod]
    public void Ids_that_cannot_be_decoded_are_refused()
    {
        Assert.ThrowsExactly<ArgumentNullException>(() => _tokenizer.Decode(null!));
        Assert.AreEqual(
            "The provided token IDs could not be decoded.",
            Assert.ThrowsExactly<InvalidOperationException>(() => _tokenizer.Decode([-1])).Message);
    }

    [TestMethod]
    public void A_tokenizer_has_no_normalizer_and_no_pre_tokenizer_of_its_own()
    {
        Assert.IsNull(_tokenizer.PreTokenizer);
        Assert.IsInstanceOfType<LowerCase>(_tokenizer.Normalizer);
        Assert.AreEqual(int.MaxValue, new EncodeSettings().MaxTokenCount);
        Assert.IsFalse(new EncodeSettings().ConsiderNormalization);
        Assert.AreEqual(0, default(EncodeSettings).MaxTokenCount);
    }

    private sealed class LowerCase : Normalizer
    {
        public override string Normalize(string original) => original.ToLowerInvariant();

        public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());
    }

    /// <summary>A token per character, its id the character; decoding repeats each character <paramref name="width"/> times.</summary>
    private sealed class CharTokenizer(int width = 1) : Tokenizer
    {
        public override Normalizer? Normalizer { get; } = new LowerCase();

        protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
        {
            string? normalized = settings.ConsiderNormalization ? Normalizer!.Normalize(text ?? textSpan.ToString()) : null;
            string encoded = normalized ?? text ?? textSpan.ToString();
            EncodedToken[] tokens =
                [.. encoded.Take(settings.MaxTokenCount).Select((character, at) => new EncodedToken(character, character.ToString(), at..(at + 1)))];
            return new EncodeResults<EncodedToken> { Tokens = tokens, NormalizedText = normalized, CharsConsumed = tokens.Length };
        }

        public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
        {
            (idsConsumed, charsWritten) = (0, 0);
            foreach (int id in ids)
            {
                if (id < 0)
                    return OperationStatus.InvalidData;
                if (charsWritten + width > destination.Length)
                    return OperationStatus.DestinationTooSmall;
                destination.Slice(charsWritten, width).Fill((char)id);
                charsWritten += width;
                idsConsumed++;
            }

            return OperationStatus.Done;
        }
    }
}
