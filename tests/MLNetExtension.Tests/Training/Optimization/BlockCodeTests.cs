using MLNetExtension.Training.Optimization.Rules;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Training.Optimization;

[TestClass]
public sealed class BlockCodeTests
{
    // The widest gap of the code is a 64th of 0.9, unsigned a 128th, and a number lies at most half of it away, or beyond the last one.
    [TestMethod]
    [DataRow(true, 1000, 0.9 / 128)]
    [DataRow(false, 256, 0.9 / 256)]
    [DataRow(true, 1, 1e-7)]
    public void A_number_comes_back_to_a_share_of_the_largest_of_its_block(bool signed, int length, double share)
    {
        using var scope = NewDisposeScope();
        using Generator generator = new(3);
        using BlockCode code = new(signed, ScalarType.Float32, CPU);
        Tensor numbers = randn([length], generator: generator).pow(3) * 1e-4;
        if (!signed)
            numbers = numbers.abs();
        Tensor codes = zeros(length, dtype: ScalarType.Byte), scales = zeros(BlockCode.CountBlocks(length));
        code.Encode(numbers, codes, scales);
        Tensor error = (code.Decode(codes, scales) - numbers).abs();

        float[] errors = error.data<float>().ToArray(), largest = scales.data<float>().ToArray();
        for (int i = 0; i < length; i++)
            Assert.IsLessThanOrEqualTo(share * 1.0001 * largest[i / BlockCode.BlockLength], errors[i]);
        Assert.AreEqual(numbers.abs().max().item<float>(), largest.Max());
    }

    // What is divided by its root must not become 0. Seen to fail with: the nearest value alone.
    [TestMethod]
    public void No_number_above_0_is_rounded_to_0_where_there_is_no_sign_and_0_stays_0()
    {
        using var scope = NewDisposeScope();
        using BlockCode code = new(signed: false, ScalarType.Float32, CPU);
        Tensor numbers = tensor(new[] { 1f, 1e-12f, 1e-30f, 0f }), codes = zeros(4, dtype: ScalarType.Byte), scales = zeros(1);
        code.Encode(numbers, codes, scales);
        float[] back = code.Decode(codes, scales).data<float>().ToArray();
        Assert.IsTrue(back[1] > 0 && back[2] > 0);
        Assert.AreEqual(0, back[3]);
        Assert.AreEqual(1, back[0]);

        code.Encode(zeros(4), codes, scales);
        CollectionAssert.AreEqual(new float[4], code.Decode(codes, scales).data<float>().ToArray());
    }
}
