using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.Normalization;
using MLNetExtension.Tokenization.SentencePiece;
using MLNetExtension.Tokenization.Vocabulary;

namespace MLNetExtension.InteropTests.Formats.Gguf;

/// <summary>Vocabularies trained on a few sentences, and SentencePiece models of the other tests.</summary>
internal static class SmallTokenizers
{
    public const string Template = "{% for message in messages %}{{ message.content }}{% endfor %}";

    // Fewer than a model has rows, so that some ids are no tokens.
    private const int Trained = SmallModels.Vocabulary - 8;

    private const string Corpus =
        "The quick brown fox jumps over the lazy dog, and the dog doesn't mind; it's 1234567 times lazier than they're saying.\n"
        + "for (int i = 0; i < 100; i++)\n{\n\tConsole.WriteLine($\"{i}: {values[i]}\");\n}\n\n"
        + "Съешь же ещё этих мягких французских булок. Ὁ τοῦ σοφοῦ λόγος. 敏捷的棕色狐狸跳过懒狗。素早い茶色の狐。다람쥐 헌 쳇바퀴에 타고파.\n"
        + "Größe, naïve café, façade; مرحبا بالعالم שלום עולם नमस्ते दुनिया สวัสดีชาวโลก 👩‍👩‍👧 🏳️‍🌈\n   indented    text   with    spaces\n";

    private static readonly TokenizerFile Configuration = new(
        "tokenizer_config.json",
        System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object> { ["eos_token"] = "<|endoftext|>", ["chat_template"] = Template }));

    public static readonly string[] BytePairs = ["gpt-2", "llama-bpe", "smaug-bpe", "qwen2", "smollm"];

    public static readonly string[] SentencePieces = ["llama", "gemma"];

    /// <summary>GPT-2's kind.</summary>
    public static HuggingFaceTokenizer Train() => BytePair("gpt-2");

    /// <summary>A tokenizer for which llama.cpp has this name.</summary>
    public static HuggingFaceTokenizer BytePair(string name)
    {
        string pattern = name switch { "qwen2" => SplitPatterns.Qwen2, "llama-bpe" or "smaug-bpe" => SplitPatterns.Llama3, _ => SplitPatterns.Gpt2 };
        BytePairTrainer trainer = new(new() { VocabularySize = Trained, Pattern = pattern, MinimumPairCount = 1, SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] });
        TokenizerDefinition trained = ((HuggingFaceTokenizer)trainer.Train([Corpus])).Definition;
        BytePairModel model = (BytePairModel)trained.Model;
        TokenizerDefinition definition = trained with
        {
            Steps = [.. (name == "smollm" ? (string[])[@"\p{N}", pattern] : [pattern]).Select(each => PatternStep.Isolating(each))],
            Normalizer = name == "qwen2" ? TextNormalizer.Form(UnicodeForm.C) : TextNormalizer.None,
            // Some words that are tokens can be reached by no merge.
            Model = name == "llama-bpe" ? model with { IgnoresMerges = true, Merges = [.. model.Merges.Where((_, rank) => rank % 3 != 2)] } : model,
            AddedTokens = [.. trained.AddedTokens, new AddedToken(Trained, "<tool>", IsSpecial: false), new AddedToken(Trained + 3, "  two  spaces", IsSpecial: false)],
            Prefix = name == "llama-bpe" ? [trained.AddedTokens[1].Id] : [],
        };
        return new HuggingFaceTokenizer(definition, TokenizerConfiguration.Read([Configuration], definition.AddedTokens), [Configuration]);
    }

    public static SentencePieceLanguageTokenizer SentencePiece(string name) =>
        new(new TokenizerFile("tokenizer.model", File.ReadAllBytes(Path.Combine(Root, "tests/MLNetExtension.Tests/Tokenization/Golden/sentencepiece", name + ".model"))));

    /// <summary>The <c>tokenizer.json</c> that a SentencePiece model becomes, as Hugging Face's converter makes it for Llama and Gemma.</summary>
    public static HuggingFaceTokenizer Converted(string name)
    {
        SentencePieceModel pieces = SentencePiece(name).Model;
        Dictionary<string, int> vocabulary = pieces.Pieces.Select((piece, id) => (piece.Text, id)).ToDictionary(pair => pair.Text, pair => pair.id);
        var merges = pieces.Pieces.Where(piece => piece.Kind == PieceKind.Normal)
            .SelectMany(piece => Enumerable.Range(1, piece.Text.Length - 1).Select(at => (piece.Score, Left: piece.Text[..at], Right: piece.Text[at..])))
            .Where(merge => vocabulary.ContainsKey(merge.Left) && vocabulary.ContainsKey(merge.Right))
            .OrderByDescending(merge => merge.Score);
        TextNormalizer escape = TextNormalizer.Replace(new LiteralPattern(" "), "\u2581");
        TokenizerDefinition definition = new()
        {
            Model = new BytePairModel { Vocabulary = vocabulary, Merges = [.. merges.Select(merge => (merge.Left, merge.Right))], HasByteFallback = true, UnknownToken = "<unk>", FusesUnknown = true },
            Normalizer = pieces.Normalization.AddsSpace ? TextNormalizer.Sequence([TextNormalizer.Prepend("\u2581"), escape]) : escape,
            Steps = pieces.Normalization.AddsSpace ? [] : [new PatternStep(new LiteralPattern(" "), MatchBehavior.MergedWithPrevious)],
            AddedTokens =
            [
                .. pieces.Pieces.Where(piece => piece.Kind is PieceKind.Control or PieceKind.Unknown).Select(piece => new AddedToken(vocabulary[piece.Text], piece.Text)),
                .. pieces.Pieces.Where(piece => piece.Kind == PieceKind.UserDefined).Select(piece => new AddedToken(vocabulary[piece.Text], piece.Text, IsSpecial: false)),
                new AddedToken(pieces.Pieces.Count, "<tool>", IsSpecial: false),
            ],
            Decoder = new TokenDecoder([]),
        };
        TokenizerFile ends = new("tokenizer_config.json", System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string> { ["eos_token"] = "</s>" }));
        return new HuggingFaceTokenizer(definition, TokenizerConfiguration.Read([ends], definition.AddedTokens), []);
    }

    private static string Root
    {
        get
        {
            string folder = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(folder, "MLNetAccum.sln")))
                folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("The tests do not run in the repository.");
            return folder;
        }
    }
}
