using MLNetExtension.Tests.Tokenization.HuggingFace;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>A tokenizer of every kind: bytes, byte pairs of three families, and SentencePiece's two models with and without bytes and rules of normalization.</summary>
internal static class TestTokenizers
{
    public static readonly string[] SentencePiece = ["llama", "gemma", "normalized", "unigram", "unigram_bytes"];

    public static readonly string[] Names = ["bytes", .. Golden.Styles, .. SentencePiece];

    /// <summary>And one in the form of each family of <c>tokenizer.json</c>.</summary>
    public static readonly string[] AllNames = [.. Names, .. FamilyTokenizers.Names];

    public static ILanguageTokenizer Load(string name) => name switch
    {
        "bytes" => new ByteLevelTokenizer(),
        _ when Golden.Styles.Contains(name) => Golden.Tokenizer(name),
        _ when FamilyTokenizers.Names.Contains(name) => FamilyTokenizers.Load(name),
        _ => TokenizerFolder.Load([SentencePieceFile(name)]),
    };

    public static TokenizerFile SentencePieceFile(string name) => new("tokenizer.model", File.ReadAllBytes(Path.Combine(Golden.Folder, "sentencepiece", name + ".model")));
}
