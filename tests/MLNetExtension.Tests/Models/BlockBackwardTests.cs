using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Layers;
using MLNetExtension.Models.Llama;
using MLNetExtension.Tests.Models.Llama;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Training.Accumulation;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models;

/// <summary>The blocks' backward passes against automatic differentiation of the same blocks.</summary>
[TestClass]
public sealed class BlockBackwardTests
{
    // Rows of one tile and of several, some of which are computed together.
    private static readonly int[] Lengths = [150, 130, 100, 70, 66, 64, 9, 8, 3, 1];

    public static IEnumerable<object[]> Blocks =>
        from model in (string[])["GPT-2", "gelu", "relu", "silu", "with dropout", "Llama", "grouped heads", "sliding", "adapters", "adapters with dropout", "GPT-2 with adapters",
            "DoRA adapters", "DoRA adapters with dropout", "GPT-2 with DoRA adapters", "PiSSA adapters with dropout", "GPT-2 with DoRA PiSSA adapters", "DoRA PiSSA adapters with dropout", .. TinyLlama.Types]
        from packed in new[] { true, false }
        select new object[] { model, packed };

    [TestMethod]
    [DynamicData(nameof(Blocks))]
    public void A_block_goes_back_as_automatic_differentiation_does(string kind, bool packed)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create(kind);
        SequenceLayout layout = packed ? SequenceLayout.Packed(Lengths) : SequenceLayout.Padded([5, 150, 70]);
        TransformerBlock block = model.Blocks[1];
        using FlatParameters parameters = new(block.named_parameters());
        Tensor input = Random([packed ? 1 : 3, packed ? Lengths.Sum() : 150, model.TokenEmbedding.shape[1]], seed: 4), gradient = Random(input.shape, seed: 5);

        block.ReseedDropout(7);
        Tensor leaf = input.clone().requires_grad_(), expected = block.call(leaf, layout);
        expected.backward([gradient]);
        Tensor expectedGradients = parameters.Gradients.clone();
        parameters.ZeroGradients();

        block.ReseedDropout(7);
        using ActivationMemory memory = new();
        using Tape tape = new(layout, memory, parameters.FindGradient);
        Tensor actual = block.Forward(input, tape), actualGradient = block.Backward(gradient.clone(), tape);

        Assert.IsFalse(actual.requires_grad);
        AssertClose(expected.detach(), actual);
        AssertClose(leaf.grad!, actualGradient);
        AssertClose(expectedGradients, parameters.Gradients);
        Assert.ThrowsExactly<InvalidOperationException>(() => tape.Take(), "Everything that was kept has been taken.");
    }

    // With heads that are attended to in vectors, where the machine has them.
    [TestMethod]
    [DataRow("GPT-2", null)]
    [DataRow("Llama", null)]
    [DataRow("Llama", 20)]
    public void A_block_in_float32_goes_back_as_automatic_differentiation_does_in_float64(string kind, int? window)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = kind == "GPT-2"
            ? new Gpt2Model(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 150, Layers: 1, Heads: 2, Width: 64), seed: 1)
            : new LlamaModel(TinyLlama.Configuration with { ContextLength = 150, Width = 96, Heads = 4, KeyValueHeads = 2, HeadWidth = 32, SlidingWindow = window }, seed: 3);
        TransformerBlock block = model.Blocks[0];
        model.train();
        Tensor input = Random([1, Lengths.Sum(), model.TokenEmbedding.shape[1]], seed: 4), gradient = Random(input.shape, seed: 5);
        SequenceLayout layout = SequenceLayout.Packed(Lengths);

        model.to(ScalarType.Float64);
        Tensor leaf = input.clone().requires_grad_(), expected = block.call(leaf, layout);
        expected.backward([gradient]);
        Tensor[] expectedGradients = [.. block.parameters().Select(parameter => parameter.grad!.clone())];

        model.to(ScalarType.Float32);
        using FlatParameters parameters = new(block.named_parameters());
        using ActivationMemory memory = new();
        using Tape tape = new(layout, memory, parameters.FindGradient);
        Tensor actual = block.Forward(input.to(float32), tape), actualGradient = block.Backward(gradient.to(float32), tape);

        AssertClose(expected.detach(), actual.to(float64), 1e-6);
        AssertClose(leaf.grad!, actualGradient.to(float64), 1e-6);
        foreach ((Parameter parameter, Tensor sum) in block.parameters().Zip(expectedGradients))
            AssertClose(sum, parameters.FindGradient(parameter)!.to(float64), 1e-5);
        Assert.ThrowsExactly<InvalidOperationException>(() => tape.Take(), "Everything that was kept has been taken.");
    }

    [TestMethod]
    [DataRow("Llama without norms", 2 * 12 + (4 + 2 * 2) * 6 + 4 * 6 + 2 * 20)]
    [DataRow("GPT-2", 2 * 12 + 3 * 12 + 12 + 4 * 12)]
    public void A_block_keeps_what_its_products_need_and_no_more(string kind, long perPosition)
    {
        using var scope = NewDisposeScope();
        using CausalLanguageModel model = Create(kind);
        using ActivationMemory memory = new();
        int[] lengths = [150, 70, 9];    // rows that are not computed together, so that none is padded
        using Tape tape = new(SequenceLayout.Packed(lengths), memory, _ => null);
        _ = model.Blocks[0].Forward(Random([1, lengths.Sum(), model.TokenEmbedding.shape[1]], seed: 4), tape);
        Assert.AreEqual(perPosition * lengths.Sum(), CountNumbers(tape));
    }

    [TestMethod]
    public void Without_a_backward_pass_nothing_is_kept()
    {
        using var scope = NewDisposeScope();
        foreach (string kind in new[] { "GPT-2", "experts" })
        {
            using CausalLanguageModel model = Create(kind);
            using ActivationMemory memory = new();
            using Tape tape = new(SequenceLayout.Packed(Lengths), memory, _ => null, keeps: false);
            Tensor output = model.Blocks[0].Forward(Random([1, Lengths.Sum(), 12], seed: 4), tape);
            Assert.AreEqual(0, CountNumbers(tape), kind);
            Assert.IsFalse(output.requires_grad, kind);
        }
    }

    private static long CountNumbers(Tape tape)
    {
        long count = 0;
        while (true)
        {
            try
            {
                using IDisposable kept = tape.Take<IDisposable>();
                count += kept is RowAttention attention ? attention.Kept.Sum(tensor => tensor.numel()) : ((Tensor)kept).numel();
            }
            catch (InvalidOperationException)
            {
                return count;
            }
        }
    }

    private static CausalLanguageModel Create(string kind)
    {
        LlamaConfiguration llama = TinyLlama.Configuration with { ContextLength = 150, SlidingWindow = 80 };
        CausalLanguageModel model = kind switch
        {
            "GPT-2" => Gpt2(),
            _ when kind.StartsWith("GPT-2 with", StringComparison.Ordinal) => Gpt2(),
            "gelu" => Gpt2(Activation.Gelu),
            "relu" => Gpt2(Activation.Relu),
            "silu" => Gpt2(Activation.Silu),
            "with dropout" => Gpt2(dropout: 0.3),
            "experts" => Gpt2(experts: 3),
            "Llama" => new LlamaModel(llama, seed: 3),
            _ when kind.Contains("adapters", StringComparison.Ordinal) => new LlamaModel(llama, seed: 3),
            "grouped heads" => new LlamaModel(llama with { Heads = 6, KeyValueHeads = 2, QueryKeyNorm = false, QueryKeyValueBias = false, SlidingWindow = null, SlidingLayers = null, Activation = Activation.GeluTanh }, seed: 3),
            "sliding" => new LlamaModel(llama with { SlidingWindow = 3, QueryKeyNorm = false, UnrotatedLayers = [] }, seed: 3),
            _ when TinyLlama.Types.Contains(kind) => new LlamaModel(TinyLlama.OfType(kind) with { ContextLength = 150 }, seed: 3),
            "Llama without norms" => new LlamaModel(llama with { QueryKeyNorm = false }, seed: 3),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, null),
        };
        model.to(ScalarType.Float64);
        TinyLlama.Spread(model);
        if (kind.Contains("adapters", StringComparison.Ordinal))
            _ = Adapted.Attach(model, Adapted.Options(kind) with { Rank = 3, Dropout = kind.Contains("dropout", StringComparison.Ordinal) ? 0.3 : 0 });
        model.train();
        return model;
    }

    private static Gpt2Model Gpt2(Activation activation = Activation.GeluTanh, double dropout = 0, int experts = 0) =>
        new(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 150, Layers: 2, Heads: 2, Width: 12, dropout, experts) { Activation = activation }, seed: 1);

    private static Tensor Random(long[] shape, ulong seed)
    {
        using Generator generator = new(seed);
        return randn(shape, dtype: float64, generator: generator);
    }

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance = 1e-12)
    {
        double scale = expected.abs().max().ToDouble();
        Assert.IsGreaterThan(0.01, scale);
        Assert.IsLessThan(tolerance, (expected - actual.view(expected.shape)).abs().max().ToDouble() / scale);
    }
}
