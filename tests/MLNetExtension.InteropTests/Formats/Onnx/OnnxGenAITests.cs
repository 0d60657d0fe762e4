using Microsoft.ML.OnnxRuntimeGenAI;
using MLNetExtension.Models;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using TorchSharp;
using static TorchSharp.torch;
using Generator = Microsoft.ML.OnnxRuntimeGenAI.Generator;

namespace MLNetExtension.InteropTests.Formats.Onnx;

/// <summary>ONNX Runtime GenAI writes with an exported model what the model writes here, and its tokenizer gives the same ids.</summary>
[TestClass]
internal sealed class OnnxGenAITests
{
    private const int Length = 40;

    private static readonly string[] Prompts = ["The quick brown", "a", "0123456789 0123", "naïve café", "\n\n  \t", "x = [1, 2, 3];"];

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

    [TestMethod]
    public void The_tokenizer_gives_the_same_ids_and_the_same_text()
    {
        using var scope = NewDisposeScope();
        using TemporaryFolder folder = new();
        ByteLevelTokenizer ours = new();
        using OnnxModel model = OnnxModels.Make("llama, tied", tokenizer: ours);
        model.Transformer.SaveAsOnnx(folder.Path);
        AssertSameIds(folder.Path, ours, [.. Prompts, "日本語のテキスト", "👩‍👩‍👧 emoji", "a  b   c", "tab\tand\r\nline", "1234567", "don't we'll I'm", "Привет, мир"]);
    }

    private static void AssertSameIds(string folder, ILanguageTokenizer ours, string[] texts)
    {
        using Model exported = new(folder);
        using Tokenizer theirs = new(exported);
        foreach (string text in texts)
        {
            using Sequences ids = theirs.Encode(text);
            CollectionAssert.AreEqual(ours.EncodeText(text).ToArray(), ids[0].ToArray(), text);
            Assert.AreEqual(text, theirs.Decode(ids[0]));
        }
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
