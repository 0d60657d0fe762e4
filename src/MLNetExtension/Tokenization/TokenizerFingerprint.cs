using System.Security.Cryptography;
using System.Text;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Tokenization;

/// <summary>What tells one tokenizer from another.</summary>
internal static class TokenizerFingerprint
{
    /// <summary>Gives a text that two tokenizers share only if they encode every text to the same ids; null for a class of a user's own, of which nothing is known.</summary>
    public static string? Of(ILanguageTokenizer tokenizer) => tokenizer switch
    {
        ByteLevelTokenizer => "bytes",
        TokenIdsOnly ids => FormattableString.Invariant($"ids {ids.VocabularySize} {ids.BeginningOfTextId} {ids.EndOfTextId}"),
        HuggingFaceTokenizer or SentencePieceLanguageTokenizer => $"{tokenizer.GetType().Name} {Hash(tokenizer.Files)}",
        _ => null,
    };

    private static string Hash(IReadOnlyList<TokenizerFile> files)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (TokenizerFile file in files)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{file.Name}\0{file.Content.Length}\0")));
            hash.AppendData(file.Content.Span);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
