using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Accumulation;

/// <summary>Packed rows, and activations computed again.</summary>
[TestClass]
public sealed class LayoutTests
{
    [TestMethod]
    public void No_packed_row_sees_another_and_positions_start_anew_with_each()
    {
        using var scope = NewDisposeScope();
        using Gpt2Model model = Ragged.Model();
        TokenExample[] rows = Ragged.Examples(4);
        using MicroBatch packed = MicroBatch.Pack(rows, CPU);

        Tensor together = Hidden(model, packed);
        Tensor[] alone = [.. rows.Select(row => Hidden(model, MicroBatch.Collate([row], CPU)))];

        Assert.IsLessThan(1e-14, Ragged.RelativeError(together, cat([.. alone], 1)));
    }

    // unsloth-zoo #1066: targets at packed boundaries were subtracted twice.
    // Seen to fail with: a target fewer at every boundary.
    [TestMethod]
    public void Packed_and_padded_rows_hold_the_same_targets()
    {
        TokenExample[] rows = Ragged.Examples(6);
        using MicroBatch packed = MicroBatch.Pack(rows, CPU), padded = MicroBatch.Collate(rows, CPU);

        Assert.AreEqual(padded.TargetCount, packed.TargetCount);
        Assert.AreEqual(padded.TargetWeight, packed.TargetWeight);
        Assert.AreEqual(rows.Sum(row => row.TargetCount), (int)packed.TargetCount);
        CollectionAssert.AreEqual(padded.Targets.data<long>().ToArray(), packed.Targets.data<long>().ToArray());
        Assert.AreEqual(rows.Sum(row => row.Length), packed.Ids.shape[1]);
    }

    [TestMethod]
    [DataRow(false, 0.0, DisplayName = "padded")]
    [DataRow(true, 0.0, DisplayName = "packed")]
    [DataRow(false, 0.3, DisplayName = "padded with dropout")]
    [DataRow(true, 0.3, DisplayName = "packed with dropout")]
    public void Recomputing_activations_changes_not_a_bit(bool pack, double dropout)
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<IReadOnlyList<TokenExample>> microBatches = Ragged.Split(Ragged.Examples(8), 3);
        (BatchLoss keptLoss, Tensor kept) = Ragged.Accumulate(microBatches, dtype: ScalarType.Float32, pack: pack, dropout: dropout);
        (BatchLoss againLoss, Tensor again) = Ragged.Accumulate(microBatches, dtype: ScalarType.Float32, pack: pack, dropout: dropout, recompute: true);

        Assert.AreEqual(keptLoss, againLoss);
        CollectionAssert.AreEqual(kept.bytes.ToArray(), again.bytes.ToArray());
    }

    [TestMethod]
    public void Dropout_draws_differ_from_block_to_block_and_from_micro_batch_to_micro_batch()
    {
        using var scope = NewDisposeScope();
        IReadOnlyList<TokenExample> row = [Ragged.Examples(1, seed: 3)[0]];
        Tensor once = Ragged.Accumulate([row], LossNormalization.Sum, dropout: 0.3).Gradient;
        Tensor twice = Ragged.Accumulate([row, row], LossNormalization.Sum, dropout: 0.3).Gradient;
        Assert.IsGreaterThan(1e-2, Ragged.RelativeError(twice, once * 2));
    }

    private static Tensor Hidden(Gpt2Model model, MicroBatch microBatch)
    {
        SequenceLayout layout = microBatch.IsPacked ? SequenceLayout.Packed(microBatch.RowLengths) : SequenceLayout.Padded(microBatch.RowLengths);
        return model.Normalize(model.Blocks.Aggregate(model.Embed(microBatch.Ids, layout), (hidden, block) => block.call(hidden, layout)));
    }
}
