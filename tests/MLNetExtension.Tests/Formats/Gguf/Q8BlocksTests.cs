using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MLNetExtension.Formats.Gguf;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Formats.Gguf;

[TestClass]
public sealed class Q8BlocksTests
{
    // The formula in torch's float32: d = max |x| / 127, q = sign(x) floor(|x (1 / d)| + 0.5).
    [TestMethod]
    [DataRow(1f)]
    [DataRow(1e-3f)]
    [DataRow(3e5f)]
    [DataRow(1e-7f)]
    public void Blocks_are_those_of_the_formula_bit_for_bit(float size)
    {
        using var scope = NewDisposeScope();
        const int Blocks = 4096;
        Tensor values = randn([Blocks, 32], generator: new Generator(7)) * size;
        // Halves, which lie between two numbers, and a block of zeros.
        values[0] = arange(32, dtype: float32) / 2 + 111.5;
        values[1] = zeros(32);
        values[2] = cat([tensor((float[])[127]), arange(31, dtype: float32) - 15.5]);
        byte[] blocks = new byte[Blocks * Q8Blocks.Bytes];
        Assert.IsTrue(Q8Blocks.TryWrite(MemoryMarshal.Cast<byte, float>(values.bytes), blocks));

        Tensor scale = values.abs().amax([1], keepdim: true) / 127;
        Tensor factor = where(scale.eq(0), zeros_like(scale), scale.reciprocal());
        Tensor expected = (values * factor).sign() * ((values * factor).abs() + 0.5).floor();
        sbyte[] whole = expected.to(int8).data<sbyte>().ToArray();
        Half[] scales = [.. scale.to(float16).data<Half>().ToArray()];
        for (int block = 0; block < Blocks; block++)
        {
            ReadOnlySpan<byte> actual = blocks.AsSpan(block * Q8Blocks.Bytes, Q8Blocks.Bytes);
            Assert.AreEqual(scales[block], BinaryPrimitives.ReadHalfLittleEndian(actual), $"block {block}");
            Assert.IsTrue(MemoryMarshal.Cast<byte, sbyte>(actual[2..]).SequenceEqual(whole.AsSpan(32 * block, 32)), $"block {block}");
        }
    }

    [TestMethod]
    public void Numbers_so_small_that_float32_has_no_inverse_of_their_scale_become_zero()
    {
        float[] values = [.. Enumerable.Repeat(1e-40f, 32)];
        byte[] block = [.. Enumerable.Repeat((byte)9, Q8Blocks.Bytes)];
        Assert.IsTrue(Q8Blocks.TryWrite(values, block));
        Assert.IsTrue(block.All(value => value == 0));
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(-8.4e6f)]
    public void A_scale_that_float16_does_not_hold_is_refused(float value)
    {
        float[] values = new float[64];
        values[40] = value;
        Assert.IsFalse(Q8Blocks.TryWrite(values, new byte[2 * Q8Blocks.Bytes]));
    }
}
