using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Models.Llama;
using TorchSharp;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models;

/// <summary>CASES 44. AReaL #1442, axolotl #3796: packed documents saw each other under fused attention.</summary>
[TestClass]
public sealed class PackedAttentionTests
{
    private static readonly int[] Lengths = [5, 7, 4];

    public static IEnumerable<object[]> Paths =>
        from path in new[] { "fused", "with dropout", "grouped heads", "sliding", "sliding with dropout" }
        from dtype in new[] { ScalarType.Float64, ScalarType.Float32, ScalarType.BFloat16 }
        select new object[] { path, dtype };

    // The row in the middle is another one: those beside it stay as they are, to the bit. Seen to fail with: one attention over the packed rows.
    [TestMethod]
    [DynamicData(nameof(Paths))]
    public void No_packed_row_sees_another(string path, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using CausalLanguageModel model = Create(path);
        model.to(dtype);
        model.train();
        Random random = new(3);
        TokenExample[] rows = [.. Lengths.Select((length, row) => Ragged.Example(random, length, row))];

        Tensor before = Hidden(model, rows), after = Hidden(model, [rows[0], Ragged.Example(random, Lengths[1], 1), rows[2]]);

        Tensor[] same = before.split([.. Lengths.Select(length => (long)length)], 1), changed = after.split([.. Lengths.Select(length => (long)length)], 1);
        CollectionAssert.AreEqual(same[0].contiguous().bytes.ToArray(), changed[0].contiguous().bytes.ToArray());
        CollectionAssert.AreEqual(same[2].contiguous().bytes.ToArray(), changed[2].contiguous().bytes.ToArray());
        CollectionAssert.AreNotEqual(same[1].contiguous().bytes.ToArray(), changed[1].contiguous().bytes.ToArray());
    }

    private static Tensor Hidden(CausalLanguageModel model, TokenExample[] rows)
    {
        using MicroBatch packed = MicroBatch.Pack(rows, CPU);
        SequenceLayout layout = SequenceLayout.Packed(packed.RowLengths);
        model.ReseedDropout(4);
        foreach (TransformerBlock block in model.Blocks)
            block.ReseedDropout(5);
        return model.Normalize(model.Blocks.Aggregate(model.Embed(packed.Ids, layout), (hidden, block) => block.call(hidden, layout)));
    }

    private static CausalLanguageModel Create(string path) => path switch
    {
        "fused" => Ragged.Model(ScalarType.Float32),
        "with dropout" => new Gpt2Model(new Gpt2Configuration(Ragged.Vocabulary, ContextLength: 24, Layers: 2, Heads: 2, Width: 12, AttentionDropout: 0.4), seed: 1),
        "grouped heads" => new LlamaModel(Llama, seed: 1),
        "sliding" => new LlamaModel(Llama with { SlidingWindow = 3 }, seed: 1),
        _ => new LlamaModel(Llama with { SlidingWindow = 3, AttentionDropout = 0.4 }, seed: 1),
    };

    private static LlamaConfiguration Llama => new()
    {
        VocabularySize = Ragged.Vocabulary,
        ContextLength = 24,
        Layers = 2,
        Width = 16,
        FeedForwardWidth = 24,
        Heads = 4,
        KeyValueHeads = 2,
    };

    // What a GPU does, computed on the CPU. The weights of the sum make the gradients of all positions differ.
    [TestMethod]
    [DataRow(new long[] { 5, 5, 5 }, 1)]
    [DataRow(new long[] { 9, 8, 7, 3, 3, 1 }, 3)]
    [DataRow(new long[] { 2, 40 }, 2)]
    public void Rows_of_like_length_attend_together_as_each_does_alone(long[] rows, int groups)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(3);
        Tensor weights = randn([1, rows.Sum(), 2, 4], dtype: float64, generator: generator);
        int calls = 0;
        (Tensor together, Tensor[] gradients) = Attend(together: true);
        Assert.AreEqual(groups, calls);
        (Tensor alone, Tensor[] expected) = Attend(together: false);

        Assert.IsLessThan(1e-14, Ragged.RelativeError(together, alone));
        foreach ((Tensor gradient, Tensor other) in gradients.Zip(expected))
            Assert.IsLessThan(1e-14, Ragged.RelativeError(gradient, other));

        (Tensor, Tensor[]) Attend(bool together)
        {
            calls = 0;
            using Generator same = new(4);
            Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(_ => randn([1, rows.Sum(), 2, 4], dtype: float64, generator: same).requires_grad_())];
            Tensor result = SequenceLayout.AttendWithin(inputs, rows, together, parts =>
            {
                calls++;
                return nn.functional.scaled_dot_product_attention(parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2), is_casual: true).transpose(1, 2);
            });
            (result * weights).sum().backward();
            return (result.detach(), [.. inputs.Select(input => input.grad!)]);
        }
    }
}
