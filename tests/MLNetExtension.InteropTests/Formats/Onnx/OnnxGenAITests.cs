using Microsoft.ML.OnnxRuntimeGenAI;
using MLNetExtension.Models;
using MLNetExtension.Tests.Repository;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.HuggingFace;
using MLNetExtension.Tokenization.Vocabulary;
using static TorchSharp.torch;
using Generator = Microsoft.ML.OnnxRuntimeGenAI.Generator;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>ONNX Runtime GenAI writes with an exported model what the model writes here, and its tokenizer gives the same ids.</summary>
[TestClass]
internal sealed class OnnxGenAITests
{
    private const int Length = 40;

    private static readonly string[] Prompts = ["The quick brown", "a", "0123456789 0123", "naïve café", "\n\n  \t", "x = [1, 2, 3];"];

    private static readonly string[] Scripts =
    [
        "日本語のテキスト", "👩‍👩‍👧 emoji 🇩🇪", "a  b   c", "tab\tand\r\nline\r\n\r\nend", "1234567 12 3", "don't we'll I'M IT'S", "Привет, мир", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "한국어 문장",
        "for (int i = 0; i < n; i++) { sum += a[i]; }", "   leading", "trailing   ", "\t\tif x:\n\t\t\treturn y\n", "½ ² Ⅷ ① é e\u0301", "a\u00a0b\u3000c\u2009d", "\n", " ", "…—“quoted”", "<b>&amp;</b>", "x_1+y^2=z",
    ];

    public static IEnumerable<object[]> Models => OnnxModels.Names.Select((name, i) => new object[] { name, i % 2 == 1 });

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void Greedy_tokens_are_the_same(string name, bool adapters)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make(name, adapters);
        model.Transformer.SaveAsOnnx(folder.Path);
        using Model exported = new(folder.Path);
        HashSet<string> continuations = [];
        foreach (string prompt in Prompts)
        {
            int[] ids = [.. new ByteLevelTokenizer().EncodeText(prompt)], expected = Continue(model.Network, ids);
            CollectionAssert.AreEqual(WithoutEnd(expected), WithoutEnd(Generate(exported, ids)), prompt);
            continuations.Add(string.Join(' ', expected[ids.Length..]));
        }
        Assert.IsGreaterThan(Prompts.Length / 2, continuations.Count, "The prompts make little difference.");
    }

    // GenAI fills the shorter row up at its right end, so that padding lies between prompt and continuation.
    [TestMethod]
    [DataRow("gpt2, tied")]
    [DataRow("mistral, untied, window")]
    public void Prompts_of_unequal_length_go_on_side_by_side_as_alone(string name)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        using OnnxModel model = OnnxModels.Make(name);
        model.Transformer.SaveAsOnnx(folder.Path);
        using Model exported = new(folder.Path);
        using Tokenizer tokenizer = new(exported);
        using Sequences prompts = tokenizer.EncodeBatch([.. Prompts]);
        using GeneratorParams options = new(exported);
        options.SetSearchOption("max_length", Length);
        options.SetSearchOption("batch_size", Prompts.Length);
        using Generator generator = new(exported, options);
        generator.AppendTokenSequences(prompts);
        while (!generator.IsDone())
            generator.GenerateNextToken();

        int longest = Prompts.Max(prompt => new ByteLevelTokenizer().EncodeText(prompt).Count);
        for (int row = 0; row < Prompts.Length; row++)
        {
            int[] ids = [.. new ByteLevelTokenizer().EncodeText(Prompts[row])], expected = Continue(model.Network, ids)[ids.Length..];
            int[] written = generator.GetSequence((ulong)row).ToArray()[longest..];
            int count = Math.Min(written.Length, expected.Length);
            Assert.IsGreaterThan(10, count);
            CollectionAssert.AreEqual(expected[..count], written[..count], Prompts[row]);
        }
    }

    public static IEnumerable<object[]> Tokenizers =>
    [
        ["bytes", null!],
        ["GPT-2's pattern", SplitPatterns.Gpt2],
        ["Llama 3's pattern", SplitPatterns.Llama3],
        ["Qwen 2's pattern", SplitPatterns.Qwen2],
    ];

    [TestMethod]
    [DynamicData(nameof(Tokenizers))]
    public void The_tokenizer_gives_the_same_ids_and_the_same_text(string name, string? pattern)
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        string[] corpus = File.ReadAllLines(Path.Combine(SourceTree.Root, "README.md"));
        ILanguageTokenizer ours = pattern is null ? new ByteLevelTokenizer() : new BytePairTrainer(new() { VocabularySize = 700, Pattern = pattern }).Train(corpus);
        using OnnxModel model = OnnxModels.Make("llama, tied", tokenizer: ours);
        model.Transformer.SaveAsOnnx(folder.Path);
        using Model exported = new(folder.Path);
        using Tokenizer theirs = new(exported);
        string[] texts = [.. Prompts, .. Scripts, .. corpus.Where(line => line.Length > 0)];
        List<string> different = [];
        foreach (string text in texts)
        {
            using Sequences ids = theirs.Encode(text);
            if (!ours.EncodeText(text).SequenceEqual(ids[0].ToArray()))
                different.Add($"ids of '{text}': {string.Join(' ', ours.EncodeText(text))}, theirs {string.Join(' ', ids[0].ToArray())}");
            else if (theirs.Decode(ids[0]) != text)
                different.Add($"text of '{text}': theirs '{theirs.Decode(ids[0])}'");
        }
        Assert.IsGreaterThan(50, texts.Length);
        Assert.AreEqual("", string.Join('\n', different), name);
    }

    private static int[] Generate(Model model, int[] prompt)
    {
        using GeneratorParams options = new(model);
        options.SetSearchOption("max_length", Length);
        using Generator generator = new(model, options);
        generator.AppendTokens(prompt);
        while (!generator.IsDone())
            generator.GenerateNextToken();
        return generator.GetSequence(0).ToArray();
    }

    // GenAI leaves out the token that ends a text; a longer or shorter text still differs.
    private static int[] WithoutEnd(int[] ids) => ids[^1] == ByteLevelTokenizer.EndOfTextId ? ids[..^1] : ids;

    // The likeliest token again and again, each by a pass over the whole row; the end of a text included.
    private static int[] Continue(CausalLanguageModel network, int[] prompt)
    {
        using var untracked = no_grad();
        List<int> ids = [.. prompt];
        while (ids.Count < Length && ids[^1] != ByteLevelTokenizer.EndOfTextId)
        {
            using var step = NewDisposeScope();
            var logits = network.forward(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0));
            ids.Add((int)logits[0, -1].argmax().item<long>());
        }
        return [.. ids];
    }
}
