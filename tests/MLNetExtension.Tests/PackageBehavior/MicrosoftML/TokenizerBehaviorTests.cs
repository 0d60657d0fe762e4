using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET's base class <see cref="Tokenizer"/> makes ids and counts of the tokens that a tokenizer gives, and hands limits on to it:
/// <see cref="MLNetExtension.Tokenization.Bytes.ByteTokenizer"/> overrides tokens and limits, and leaves ids with a limit and counts to it.
/// </summary>
[TestClass]
public sealed class TokenizerBehaviorTests
{
    private readonly CharTokenizer _tokenizer = new();

    [TestMethod]
    public void Ids_and_counts_come_from_the_tokens()
    {
        CollectionAssert.AreEqual(new[] { 97, 98 }, _tokenizer.EncodeToIds("AB").ToArray());
        CollectionAssert.AreEqual(new[] { 97, 98 }, _tokenizer.EncodeToIds("AB".AsSpan()).ToArray());
        CollectionAssert.AreEqual(new[] { 65, 66 }, _tokenizer.EncodeToIds("AB", considerNormalization: false).ToArray());
        Assert.AreEqual(3, _tokenizer.CountTokens("abc"));
        Assert.AreEqual(3, _tokenizer.CountTokens("abc".AsSpan()));
    }

    // HuggingFaceTokenizer takes its fast way where the settings hold no limit.
    [TestMethod]
    public void A_call_without_a_limit_has_the_greatest_and_asks_for_everything()
    {
        _tokenizer.EncodeToIds("AB");

        Assert.AreEqual((int.MaxValue, true, true), (_tokenizer.Asked.MaxTokenCount, _tokenizer.Asked.ConsiderNormalization, _tokenizer.Asked.ConsiderPreTokenization));
    }

    [TestMethod]
    public void A_limit_is_handed_on_and_comes_back_with_how_much_text_was_used()
    {
        IReadOnlyList<int> ids = _tokenizer.EncodeToIds("ABCD", 3, out string? normalized, out int used);

        CollectionAssert.AreEqual(new[] { 97, 98, 99 }, ids.ToArray());
        Assert.AreEqual(("abcd", 3, 3), (normalized, used, _tokenizer.Asked.MaxTokenCount));
    }

    private sealed class LowerCase : Normalizer
    {
        public override string Normalize(string original) => original.ToLowerInvariant();

        public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());
    }

    /// <summary>A token for each character, its id the character.</summary>
    private sealed class CharTokenizer : Tokenizer
    {
        public EncodeSettings Asked { get; private set; }

        public override Normalizer? Normalizer { get; } = new LowerCase();

        public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten) => throw new NotSupportedException();

        protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
        {
            Asked = settings;
            string? normalized = settings.ConsiderNormalization ? Normalizer!.Normalize(text ?? textSpan.ToString()) : null;
            string encoded = normalized ?? text ?? textSpan.ToString();
            EncodedToken[] tokens = [.. encoded.Take(settings.MaxTokenCount).Select((character, at) => new EncodedToken(character, character.ToString(), at..(at + 1)))];
            return new EncodeResults<EncodedToken> { Tokens = tokens, NormalizedText = normalized, CharsConsumed = tokens.Length };
        }
    }
}
