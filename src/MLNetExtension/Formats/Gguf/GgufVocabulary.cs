using MLNetExtension.Files;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Formats.Gguf;

/// <summary>A tokenizer in a GGUF file: its tokens, what llama.cpp makes of text with them, special tokens, the chat template.</summary>
/// <remarks>llama.cpp does not bring text into Unicode normalization form C, as the tokenizers of Qwen do: only of text that is in it already, as nearly all is, the ids are the same.</remarks>
internal static class GgufVocabulary
{
    // What the usual normalizers change, and what it becomes where nothing but composition does.
    private const string Probe = " A  e\u0301 \uFB01\u0130 ", ComposedProbe = " A  \u00E9 \uFB01\u0130 ";

    /// <summary>Adds the keys of a tokenizer.</summary>
    /// <param name="metadata">Where they go.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="specialTokens">What else is known of its special tokens.</param>
    /// <param name="size">V, the model's number of token ids; those that are no tokens are marked as unused.</param>
    /// <exception cref="NotSupportedException">llama.cpp would split text otherwise, or knows no such tokenizer; the message says why.</exception>
    public static void AddTo(GgufMetadata metadata, ILanguageTokenizer tokenizer, SpecialTokens specialTokens, int size)
    {
        switch (tokenizer)
        {
            case TokenIdsOnly:
                metadata.Add("tokenizer.ggml.model", "no_vocab");
                return;
            case ByteLevelTokenizer:
                AddTo(metadata, TokenizerFolder.Load(tokenizer.Files), specialTokens, size);
                return;
            case HuggingFaceTokenizer { Definition: { IsByteLevel: true, Model: BytePairModel model } definition }:
                AddBytePairs(metadata, definition, model, size);
                break;
            case HuggingFaceTokenizer { Definition.IsByteLevel: false } huggingFace:
                (IReadOnlyList<Piece?> pieces, bool addsSpace) = GgufPieceMerges.Create(huggingFace.Definition);
                AddPieces(metadata, pieces, addsSpace, size);
                break;
            case SentencePieceLanguageTokenizer sentencePiece:
                AddSentencePiece(metadata, sentencePiece.Model, size);
                break;
            default:
                throw new NotSupportedException($"A tokenizer of the class {tokenizer.GetType().Name} has no form in GGUF files.");
        }
        AddSpecialTokens(metadata, tokenizer, specialTokens, size);
        if ((tokenizer as IChatTokenizer)?.ChatTemplateSource is { } template)
            metadata.Add("tokenizer.chat_template", template);
    }

    private static void AddBytePairs(GgufMetadata metadata, TokenizerDefinition definition, BytePairModel model, int size)
    {
        if (definition.AddedTokens.FirstOrDefault(token => !token.IsSpecial && token is { StripsLeft: true } or { StripsRight: true } or { IsSingleWord: true }) is { } token)
            throw new NotSupportedException($"The added token '{Excerpt.Of(token.Content)}', which takes white space or is no part of a word, has no form in GGUF files.");
        if (definition.Normalizer.Normalize(Probe) is not (Probe or ComposedProbe))
            throw new NotSupportedException("A tokenizer that normalizes text in another way than by Unicode's form C has no form in GGUF files.");

        GgufTokens tokens = new(size);
        foreach ((string text, int id) in model.Vocabulary)
            tokens.Set(id, text, PieceKind.Normal);
        // llama.cpp looks for the user's tokens in every text, and for control tokens only where it is asked to: as EncodeText does.
        foreach (AddedToken added in definition.AddedTokens)
            tokens.Set(added.Id, added.Content, added.IsSpecial ? PieceKind.Control : PieceKind.UserDefined);
        metadata.Add("tokenizer.ggml.model", "gpt2");
        metadata.Add("tokenizer.ggml.pre", GgufPreTokenizers.Find(definition.Steps, model.IgnoresMerges));
        tokens.AddTo(metadata);
        metadata.Add("tokenizer.ggml.merges", [.. model.Merges.Select(merge => $"{merge.Left} {merge.Right}")]);
    }

    private static void AddSentencePiece(GgufMetadata metadata, SentencePieceModel model, int size)
    {
        (bool Differs, string What)[] differences =
        [
            (model.Kind != ModelKind.BytePairs, "of unigrams"),
            (!model.HasByteFallback, "without 'byte_fallback'"),
            (!model.Normalization.CharacterMap.IsEmpty, "with rules of normalization"),
            (model.Normalization.RemovesExtraSpaces, "that removes extra spaces"),
            (!model.Normalization.EscapesSpaces, "that does not escape spaces"),
            (model.Normalization.AddsSpace && model.Pieces.Any(piece => piece.Kind == PieceKind.UserDefined), "that puts a space in front of a text and has user-defined pieces, behind which llama.cpp puts another,"),
        ];
        if (differences.FirstOrDefault(difference => difference.Differs).What is { } what)
            throw new NotSupportedException($"A SentencePiece model {what} has no form in GGUF files.");

        AddPieces(metadata, [.. model.Pieces.Select(Translate)], model.Normalization.AddsSpace, size);
    }

    // llama.cpp looks for user-defined pieces before it escapes spaces; SentencePiece does so after it, and never finds one that is written with spaces.
    private static Piece Translate(Piece piece)
    {
        if (piece.Kind != PieceKind.UserDefined)
            return piece;
        return piece.Text.Contains(' ') ? piece with { Kind = PieceKind.Unused } : piece with { Text = piece.Text.Replace(SentencePieceLanguageTokenizer.Space, ' ') };
    }

    private static void AddPieces(GgufMetadata metadata, IReadOnlyList<Piece?> pieces, bool addsSpace, int size)
    {
        GgufTokens tokens = new(size);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id] is { } piece)
                tokens.Set(id, piece.Text, piece.Kind, (float)piece.Score);
        }
        metadata.Add("tokenizer.ggml.model", "llama");
        metadata.Add("tokenizer.ggml.pre", "default");
        tokens.AddTo(metadata, withScores: true);
        int unknown = pieces.TakeWhile(piece => piece is not { Kind: PieceKind.Unknown }).Count();
        if (unknown < pieces.Count)
            metadata.Add("tokenizer.ggml.unknown_token_id", unknown);
        metadata.Add("tokenizer.ggml.add_space_prefix", addsSpace);
    }

    private static void AddSpecialTokens(GgufMetadata metadata, ILanguageTokenizer tokenizer, SpecialTokens specialTokens, int size)
    {
        // Without a key llama.cpp takes an id of GPT-2's or Llama's.
        metadata.Add("tokenizer.ggml.bos_token_id", tokenizer.BeginningOfTextId ?? specialTokens.BeginId ?? tokenizer.EndOfTextId);
        metadata.Add("tokenizer.ggml.eos_token_id", tokenizer.EndOfTextId);
        metadata.Add("tokenizer.ggml.add_bos_token", tokenizer.BeginningOfTextId is not null);
        metadata.Add("tokenizer.ggml.add_eos_token", false);
        if (specialTokens.PaddingId is { } padding && padding < size)
            metadata.Add("tokenizer.ggml.padding_token_id", padding);
        // Generation ends at each of these; llama.cpp finds more of them by their usual names.
        IEnumerable<int> otherEnds = specialTokens.EndIds.Where(id => id != tokenizer.EndOfTextId).Distinct();
        foreach ((string key, int id) in new[] { "eot", "eom" }.Zip(otherEnds))
            metadata.Add($"tokenizer.ggml.{key}_token_id", id);
    }
}
