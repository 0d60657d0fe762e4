using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Models;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>What llama.cpp makes of text with the tokenizers of files that this library wrote.</summary>
[TestClass]
public sealed class GgufTokenizerTests
{
    private const int Strings = 200;

    private static readonly string[] Pieces =
    [
        "The quick brown fox", " jumps", "doesn't", "I'LL", "they'Re", "'s", "'", "1", "12", "123", "1234567", " 42", "3.14", "٣٤٥", "Ⅷ", "½", ",", "!?", "...", "----", " --", "$x_1", "#!", "<tag/>",
        " ", "  ", "   ", "\t", "\t\t", "\n", "\n\n", "\r\n", " \n", "\n  ", "\u00A0", "\u3000", "\u2028", "x\u200By", "for (int i = 0; i < n; i++)\n{\n\t", "    return a[i] && !b;\n}\n",
        "Größe", "naïve café", "Съешь же ещё", "Ὁ τοῦ σοφοῦ", "敏捷的棕色狐狸", "素早い茶色の狐", "다람쥐 헌", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดี", "ქართული", "አማርኛ", "ᚠᚢᚦ", "𐍈𐌰", "𝒳=𝓎", "👩‍👩‍👧", "🏳️‍🌈", "🙂", "\uFFFD", "\0", "\u0001",
        "<|endoftext|>", "<|im_start|>", "<tool>", "  two  spaces", "aaaaaaaaaaaaaaaaaaaaaaaa", "ABC", "camelCaseName", "snake_case", "ﬁ", "Å", "ǅ", "ß", "ſ", "İ",
    ];

    public static IEnumerable<string> BytePairs => SmallTokenizers.BytePairs;

    public static IEnumerable<string> SentencePieces => SmallTokenizers.SentencePieces;

    [TestMethod]
    [DynamicData(nameof(BytePairs))]
    public void The_ids_of_200_strings_are_the_same_whether_special_tokens_are_found_or_not(string name)
    {
        HuggingFaceTokenizer ours = SmallTokenizers.BytePair(name);
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, SmallModels.Vocabulary);
        // llama.cpp brings no text into Unicode normalization form C.
        foreach (string text in Texts().Select(text => ours.Normalizer?.Normalize(text) ?? text))
        {
            CollectionAssert.AreEqual(ours.EncodeText(text).ToArray(), theirs.Encode(text), text);
            CollectionAssert.AreEqual(ours.EncodeToIds(text).ToArray(), theirs.Encode(text, findsSpecial: true), text);
        }
    }

    [TestMethod]
    [DynamicData(nameof(SentencePieces))]
    public void The_ids_of_200_strings_are_the_same_with_a_SentencePiece_model(string name)
    {
        SentencePieceLanguageTokenizer ours = SmallTokenizers.SentencePiece(name);
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, ours.VocabularySize + 3);
        foreach (string text in Texts())
            CollectionAssert.AreEqual(ours.EncodeText(text).ToArray(), theirs.Encode(text), text);
    }

    [TestMethod]
    [DynamicData(nameof(SentencePieces))]
    public void The_ids_of_200_strings_are_the_same_with_the_tokenizer_json_of_a_SentencePiece_model(string name)
    {
        HuggingFaceTokenizer ours = SmallTokenizers.Converted(name);
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, ours.VocabularySize + 3);
        foreach (string text in Texts())
            CollectionAssert.AreEqual(ours.EncodeText(text).ToArray(), theirs.Encode(text), text);
    }

    [TestMethod]
    public void The_ids_of_200_strings_are_the_same_where_tokens_are_bytes()
    {
        ByteLevelTokenizer ours = new();
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, ours.VocabularySize);
        foreach (string text in Texts())
            CollectionAssert.AreEqual(ours.EncodeText(text).ToArray(), theirs.Encode(text), text);
    }

    [TestMethod]
    [DynamicData(nameof(BytePairs))]
    public void Special_tokens_and_the_chat_template_are_in_the_file(string name)
    {
        HuggingFaceTokenizer ours = SmallTokenizers.BytePair(name);
        int turnEnd = ours.SpecialTokens["<|im_end|>"];
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, SmallModels.Vocabulary, new SpecialTokens(null, [ours.EndOfTextId, turnEnd], PaddingId: 7));
        Assert.AreEqual(ours.EndOfTextId, (int)theirs.Vocabulary.EOS!.Value);
        Assert.AreEqual(turnEnd, (int)theirs.Vocabulary.EOT!.Value);
        Assert.AreEqual(7, (int)theirs.Vocabulary.Pad!.Value);
        Assert.AreEqual(SmallTokenizers.Template, theirs.ChatTemplate);
        Assert.AreEqual(SmallModels.Vocabulary, theirs.Vocabulary.Count);
        // llama.cpp's own default for some pre-tokenizers is to begin every text.
        Assert.AreEqual(name == "llama-bpe", theirs.Vocabulary.ShouldAddBOS);
        Assert.IsFalse(theirs.Vocabulary.ShouldAddEOS);
        int[] begun = ours.BeginningOfTextId is { } beginning ? [beginning, .. ours.EncodeText("a text")] : [.. ours.EncodeText("a text")];
        CollectionAssert.AreEqual(begun, theirs.Encode("a text", addsBeginning: true));
    }

    [TestMethod]
    [DynamicData(nameof(SentencePieces))]
    public void A_text_begins_as_a_SentencePiece_model_says(string name)
    {
        SentencePieceLanguageTokenizer ours = SmallTokenizers.SentencePiece(name);
        using Folder folder = new();
        using LlamaCpp theirs = Save(folder, ours, ours.VocabularySize);
        Assert.AreEqual(ours.EndOfTextId, (int)theirs.Vocabulary.EOS!.Value);
        Assert.AreEqual(ours.BeginningOfTextId, (int)theirs.Vocabulary.BOS!.Value);
        CollectionAssert.AreEqual((int[])[ours.BeginningOfTextId!.Value, .. ours.EncodeText("a text")], theirs.Encode("a text", addsBeginning: true));
    }

    // The pieces in every order of a few of them.
    private static IEnumerable<string> Texts()
    {
        Random random = new(4);
        HashSet<string> texts = [.. Pieces];
        while (texts.Count < Strings)
            texts.Add(string.Concat(Enumerable.Range(0, random.Next(2, 9)).Select(_ => Pieces[random.Next(Pieces.Length)])));
        return texts;
    }

    private static LlamaCpp Save(Folder folder, ILanguageTokenizer tokenizer, int vocabularySize, SpecialTokens? specialTokens = null)
    {
        using CausalLanguageModel model = new MLNetExtension.Models.Gpt2.Gpt2Model(new(vocabularySize, ContextLength: 8, Layers: 1, Heads: 1, Width: 4), seed: 1);
        return new LlamaCpp(GgufModel.Save(folder["model.gguf"], model, tokenizer, specialTokens ?? SpecialTokens.None, GgufType.F32), vocabularyOnly: true);
    }
}
