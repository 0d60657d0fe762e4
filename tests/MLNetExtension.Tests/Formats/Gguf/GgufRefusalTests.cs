using MLNetExtension.Formats;
using MLNetExtension.Formats.Gguf;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tests.Tokenization;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.Normalization;

namespace MLNetExtension.Tests.Formats.Gguf;

/// <summary>Models and tokenizers of which llama.cpp would make something else.</summary>
[TestClass]
public sealed class GgufRefusalTests
{
    public static IEnumerable<object[]> Refused =>
    [
        ["relu", () => new Gpt2Model(new(GgufModelTests.Llama.VocabularySize, 24, 1, 4, 64, Activation: Activation.Relu), seed: 1)],
        ["experts", () => new Gpt2Model(new(GgufModelTests.Llama.VocabularySize, 24, 1, 4, 64, Experts: 2), seed: 1)],
        ["gelu", () => new LlamaModel(GgufModelTests.Llama with { Activation = Activation.Gelu }, seed: 1)],
        ["sliding window of 23 positions", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "mistral", SlidingWindow = 23 }, seed: 1)],
        ["sliding window of 5 positions", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen2", QueryKeyValueBias = true, SlidingWindow = 5, SlidingLayers = [1] }, seed: 1)],
        ["'smollm3'", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "smollm3" }, seed: 1)],
        ["such experts", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "mixtral", Experts = 2, ExpertWeightsSumToOne = false }, seed: 1)],
        ["such experts", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen3", QueryKeyNorm = true, Experts = 2 }, seed: 1)],
        ["options of another family", () => new LlamaModel(GgufModelTests.Llama with { LogitCap = 30 }, seed: 1)],
        ["options of another family", () => new LlamaModel(GgufModelTests.Llama with { RotaryWidth = 8 }, seed: 1)],
        .. new[] { "olmo2", "phi3", "gemma2", "gemma3_text", "qwen3_moe" }.Select(type => new object[] { $"'{type}'", () => new LlamaModel(GgufModelTests.Llama with { ModelType = type }, seed: 1) }),
        ["layers without rotation", () => new LlamaModel(GgufModelTests.Llama with { UnrotatedLayers = [1] }, seed: 1)],
        ["norms of queries and keys", () => new LlamaModel(GgufModelTests.Llama with { QueryKeyNorm = true }, seed: 1)],
        ["no norms of queries and keys", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen3" }, seed: 1)],
        ["no biases of queries, keys and values", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen2" }, seed: 1)],
        ["biases of queries, keys and values", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen3", QueryKeyNorm = true, QueryKeyValueBias = true }, seed: 1)],
        ["a bias of the attention's output", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen2", QueryKeyValueBias = true, AttentionOutputBias = true }, seed: 1)],
        ["biases of the feed-forward networks", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen2", QueryKeyValueBias = true, FeedForwardBias = true }, seed: 1)],
        ["'llama3'", () => new LlamaModel(GgufModelTests.Llama with { ModelType = "qwen2", QueryKeyValueBias = true, RotaryScaling = new RotaryScaling.Llama3(8, 1, 4, 12) }, seed: 1)],
        ["'truncate'", () => new LlamaModel(GgufModelTests.Llama with { RotaryScaling = new RotaryScaling.Yarn(4, 12, WholeIndices: false) }, seed: 1)],
    ];

    [TestMethod]
    [DynamicData(nameof(Refused))]
    public void What_llama_cpp_does_not_compute_is_refused_by_name_before_anything_is_written(string name, Func<CausalLanguageModel> create)
    {
        using CausalLanguageModel model = create();
        AssertRefused(name, model, new ByteLevelTokenizer());
    }

    [TestMethod]
    [DataRow("unigram_bytes", "unigrams")]
    [DataRow("normalized", "without 'byte_fallback'")]
    public void A_SentencePiece_model_that_llama_cpp_reads_otherwise_is_refused_by_name(string tokenizer, string name)
    {
        using LlamaModel model = new(GgufModelTests.Llama with { VocabularySize = 2000 }, seed: 1);
        AssertRefused(name, model, TestTokenizers.Load(tokenizer));
    }

    [TestMethod]
    public void A_pattern_that_no_pre_tokenizer_has_is_refused_by_name()
    {
        using LlamaModel model = new(GgufModelTests.Llama with { VocabularySize = 2000 }, seed: 1);
        AssertRefused(@"'\p{L}+|\s'", model, Change(definition => definition with { Steps = [PatternStep.Isolating(@"\p{L}+|\s")] }));
        AssertRefused("'a SpaceStep'", model, Change(definition => definition with { Steps = [new SpaceStep(), .. definition.Steps] }));
    }

    private static readonly TokenizerDefinition Characters = new()
    {
        Model = new BytePairModel
        {
            Vocabulary = new[] { "<unk>", "</s>", "\u2581", "a", "b", "ab", "\u2581ab" }.Concat(Enumerable.Range(0, 256).Select(TokenModel.ByteToken)).Select((text, id) => (text, id)).ToDictionary(pair => pair.text, pair => pair.id),
            Merges = [("a", "b"), ("\u2581", "ab")],
            HasByteFallback = true,
            UnknownToken = "<unk>",
        },
        Steps = [],
        Normalizer = TextNormalizer.Sequence([TextNormalizer.Prepend("\u2581"), TextNormalizer.Replace(new LiteralPattern(" "), "\u2581")]),
        AddedTokens = [new AddedToken(0, "<unk>"), new AddedToken(1, "</s>")],
        Decoder = new TokenDecoder([]),
    };

    public static IEnumerable<object[]> OtherCharacters =>
    [
        ["is no model of byte pairs with 'byte_fallback'", Characters with { Model = Characters.Model with { HasByteFallback = false } }],
        ["splits text into words", Characters with { Steps = [new MetaspaceStep('\u2581', PrependScheme.First, Splits: false)] }],
        ["puts one in front of some texts alone", Characters with { Normalizer = TextNormalizer.Sequence([TextNormalizer.Strip(left: true, right: false), Characters.Normalizer]) }],
        ["does not merge '\u2581a' and 'b'", Characters with { Model = (BytePairModel)Characters.Model with { Vocabulary = new Dictionary<string, int>(Characters.Model.Vocabulary) { ["\u2581a"] = 263 } } }],
        ["at different places", Characters with { Model = (BytePairModel)Characters.Model with { Vocabulary = new Dictionary<string, int>(Characters.Model.Vocabulary) { ["c"] = 263, ["bc"] = 264, ["abc"] = 265 }, Merges = [("a", "b"), ("b", "c"), ("a", "bc"), ("\u2581", "ab"), ("ab", "c")] } }],
        ["'<tool>'", Characters with { AddedTokens = [.. Characters.AddedTokens, new AddedToken(270, "<tool>", IsSpecial: false, IsNormalized: true)] }],
    ];

    [TestMethod]
    [DynamicData(nameof(OtherCharacters))]
    public void A_tokenizer_of_characters_that_llama_cpp_reads_otherwise_is_refused_by_name(string name, object other)
    {
        using LlamaModel model = new(GgufModelTests.Llama with { VocabularySize = 300 }, seed: 1);
        TokenizerConfiguration configuration = TokenizerConfiguration.Read([TokenizerConfiguration.Write("</s>")], Characters.AddedTokens);
        AssertRefused(name, model, new HuggingFaceTokenizer((TokenizerDefinition)other, configuration, []));
        using TemporaryFolder folder = new();
        GgufModel.Save(folder.Path, model, new HuggingFaceTokenizer(Characters, configuration, []), SpecialTokens.None, GgufType.F32);
    }

    [TestMethod]
    public void A_normalizer_that_llama_cpp_lacks_is_refused_by_name()
    {
        using LlamaModel model = new(GgufModelTests.Llama with { VocabularySize = 2000 }, seed: 1);
        AssertRefused("Unicode's form C", model, Change(definition => definition with { Normalizer = TextNormalizer.Lowercase() }));
        AssertRefused("Unicode's form C", model, Change(definition => definition with { Normalizer = TextNormalizer.Form(UnicodeForm.KC) }));
        AssertRefused("'<tool>'", model, Change(definition => definition with { AddedTokens = [.. definition.AddedTokens, new AddedToken(1500, "<tool>", IsSpecial: false) { StripsLeft = true }] }));
    }

    [TestMethod]
    public void A_tokenizer_of_a_class_of_ones_own_is_refused_by_name()
    {
        using LlamaModel model = new(GgufModelTests.Llama, seed: 1);
        AssertRefused("LetterTokenizer", model, new MLNetExtension.Tests.Models.Custom.LetterTokenizer());
    }

    private static HuggingFaceTokenizer Change(Func<TokenizerDefinition, TokenizerDefinition> change)
    {
        HuggingFaceTokenizer tokenizer = Golden.Tokenizer("gpt2");
        return new HuggingFaceTokenizer(change(tokenizer.Definition), TokenizerConfiguration.Read(tokenizer.Files, tokenizer.Definition.AddedTokens), tokenizer.Files);
    }

    private static void AssertRefused(string name, CausalLanguageModel model, ILanguageTokenizer tokenizer)
    {
        using TemporaryFolder folder = new();
        string message = Assert.ThrowsExactly<NotSupportedException>(() => GgufModel.Save(folder["new/model.gguf"], model, tokenizer, SpecialTokens.None, GgufType.F32)).Message;
        Assert.Contains(name, message);
        Assert.IsEmpty(folder.Names);
    }
}
