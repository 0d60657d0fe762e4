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
}
