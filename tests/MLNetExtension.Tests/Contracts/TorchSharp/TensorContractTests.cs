using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Contracts.TorchSharp;

/// <summary>What this repository relies on in tensors; true of the genuine package and of the stand-in.</summary>
[TestClass]
public sealed class TensorContractTests
{
    [TestMethod]
    public void An_integer_index_a_range_and_a_view_alias_their_tensor()
    {
        using var scope = NewDisposeScope();
        Tensor matrix = arange(12).view(3, 4);

        matrix[1].fill_(0);
        matrix[.., 3..4].fill_(-1);
        matrix[2, 0] = 7;
        matrix.view(12).narrow(0, 1, 2).fill_(9);
        matrix.t()[0] = tensor(new long[] { 5, 5, 5 });
        matrix[TensorIndex.Ellipsis, 1] = 6;

        CollectionAssert.AreEqual(new long[] { 5, 6, 9, -1, 5, 6, 0, -1, 5, 6, 10, -1 }, matrix.data<long>().ToArray());
    }

    [TestMethod]
    public void Indices_that_are_tensors_gather_and_scatter()
    {
        using var scope = NewDisposeScope();
        Tensor rows = arange(6, dtype: float64).view(3, 2);
        Tensor wanted = tensor(new long[] { 2, 0, 2 });

        CollectionAssert.AreEqual(new double[] { 4, 5, 0, 1, 4, 5 }, rows[wanted].data<double>().ToArray());
        CollectionAssert.AreEqual(new double[] { 4, 5 }, rows[rows.sum(1) > 5].data<double>().ToArray());
        rows.index_put_(ones(3, 2, dtype: float64), [wanted], accumulate: true);
        CollectionAssert.AreEqual(new double[] { 1, 2, 2, 3, 6, 7 }, rows.data<double>().ToArray());
        rows.index_add_(0, wanted, ones(3, 2, dtype: float64), -1);
        rows.index_copy_(0, tensor(new long[] { 1 }), full(1, 2, 8.0, dtype: float64));
        CollectionAssert.AreEqual(new double[] { 0, 1, 8, 8, 4, 5 }, rows.data<double>().ToArray());
    }

    [TestMethod]
    public void Types_are_promoted_by_kind_and_a_number_gives_way_to_a_tensor()
    {
        using var scope = NewDisposeScope();
        Tensor whole = ones(2, dtype: int64), single = ones(2, dtype: float32), half = ones(2, dtype: bfloat16), twice = ones(2, dtype: float64);

        Assert.AreEqual(float32, (whole + single).dtype);
        Assert.AreEqual(float64, (single * twice).dtype);
        Assert.AreEqual(float32, (half * single).dtype);
        Assert.AreEqual(bfloat16, (half * 2.0).dtype);
        Assert.AreEqual(int64, (whole + 1).dtype);
        Assert.AreEqual(float32, (whole * 1.5).dtype);
        Assert.AreEqual(float32, (whole / 2).dtype);
        Assert.AreEqual(@bool, (single > 0).dtype);
        Assert.AreEqual(int64, single.gt(0).sum().dtype);
        Assert.AreEqual(float64, tensor(1.0).dtype);
        Assert.AreEqual(float32, tensor(1f).dtype);
        Assert.AreEqual(float32, full(1, 1, 1.0).dtype);
        Assert.AreEqual(int64, full(1, 1, 1).dtype);
        Assert.AreEqual(int64, arange(3).dtype);
        Assert.AreEqual(float32, arange(0, 1, 0.5).dtype);
    }

    [TestMethod]
    public void An_operation_in_place_returns_the_same_object_and_a_conversion_to_the_same_type_shares_the_data()
    {
        using var scope = NewDisposeScope();
        Tensor one = ones(3);

        Assert.AreSame(one, one.add_(1));
        Assert.AreSame(one, one.mul_(2).sub_(one / 2).div_(2));
        Tensor same = one.to(float32), other = one.to(float32, copy: true), alias = one.alias();
        one.fill_(5);
        Assert.AreEqual(5f, same[0].item<float>());
        Assert.AreEqual(5f, alias[0].item<float>());
        Assert.AreEqual(1f, other[0].item<float>());
    }

    [TestMethod]
    public void Set_makes_a_tensor_share_the_storage_of_another()
    {
        using var scope = NewDisposeScope();
        Tensor buffer = zeros(6), part = ones(2, 2);

        part.set_(buffer.narrow(0, 1, 4).view(2, 2));
        part.fill_(3);

        CollectionAssert.AreEqual(new float[] { 0, 3, 3, 3, 3, 0 }, buffer.data<float>().ToArray());
        Assert.AreEqual(1, part.storage_offset());
        CollectionAssert.AreEqual(new long[] { 2, 2 }, part.shape);
    }

    [TestMethod]
    public void Bytes_are_the_tensors_own_memory()
    {
        using var scope = NewDisposeScope();
        Tensor values = tensor(new float[] { 1, 2, 3 });

        MemoryMarshal.Cast<byte, float>(values.bytes)[1] = 20;
        Assert.AreEqual(20f, values[1].item<float>());
        values.bytes = MemoryMarshal.AsBytes((Span<float>)[7, 8, 9]);
        CollectionAssert.AreEqual(new float[] { 7, 8, 9 }, values.data<float>().ToArray());

        Assert.ThrowsExactly<ArgumentException>(() => values.bytes = new byte[8]);
        Assert.ThrowsExactly<InvalidOperationException>(() => { _ = arange(4).view(2, 2).t().bytes; });
    }

    [TestMethod]
    public void Bytes_written_to_a_stream_are_read_back_and_a_short_stream_is_an_error()
    {
        using var scope = NewDisposeScope();
        Tensor values = arange(5000, dtype: float64), copy = zeros(5000, dtype: float64);
        using var stream = new MemoryStream();

        values.WriteBytesToStream(stream);
        stream.Position = 0;
        copy.ReadBytesFromStream(stream);

        Assert.IsTrue(values.Equals(copy));
        stream.Position = 8;
        Assert.ThrowsExactly<EndOfStreamException>(() => copy.ReadBytesFromStream(stream));
    }

    [TestMethod]
    public void Data_is_read_in_row_major_order_whatever_the_strides_and_written_through()
    {
        using var scope = NewDisposeScope();
        Tensor matrix = arange(6).view(2, 3), transposed = matrix.t();

        CollectionAssert.AreEqual(new long[] { 0, 3, 1, 4, 2, 5 }, transposed.data<long>().ToArray());
        Assert.AreEqual(4, transposed.data<long>()[1, 1]);
        Assert.AreEqual(4, transposed.data<long>()[3]);
        transposed.data<long>().CopyFrom([10, 11, 12]);
        CollectionAssert.AreEqual(new long[] { 10, 12, 2, 11, 4, 5 }, matrix.data<long>().ToArray());
        var part = new long[2];
        matrix.data<long>().CopyTo(part, tensorIndex: 4);
        CollectionAssert.AreEqual(new long[] { 4, 5 }, part);
        Assert.AreEqual(6, matrix.data<long>().Count);
    }

    [TestMethod]
    public void Libtorchs_errors_are_external_exceptions_with_its_message()
    {
        using var scope = NewDisposeScope();

        StringAssert.Contains(Assert.ThrowsExactly<ExternalException>(() => ones(2, 3).mm(ones(2, 3))).Message,
            "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
        StringAssert.Contains(Assert.ThrowsExactly<ExternalException>(() => ones(4).view(3)).Message, "shape '[3]' is invalid for input of size 4");
        StringAssert.Contains(Assert.ThrowsExactly<ExternalException>(() => ones(3)[5]).Message, "index 5 out of range");
        StringAssert.Contains(Assert.ThrowsExactly<ExternalException>(() => ones(3) + ones(4)).Message, "must match the size of tensor b");
        Assert.AreEqual(2f, ones(1).add(1).item<float>());
    }

    [TestMethod]
    public void Misuse_of_a_tensor_is_a_managed_exception()
    {
        using var scope = NewDisposeScope();
        Tensor values = ones(3), disposed = ones(3);
        disposed.Dispose();

        Assert.ThrowsExactly<InvalidOperationException>(() => disposed.add(1));
        Assert.IsTrue(disposed.IsInvalid);
        Assert.ThrowsExactly<ArgumentException>(() => values.item<float>());
        Assert.ThrowsExactly<ArgumentException>(() => values.data<double>());
        Assert.ThrowsExactly<ArgumentException>(() => tensor(new float[] { 1, 2 }, [3]));
        Assert.ThrowsExactly<ArgumentException>(() => values.index_add_(0, ones(1), ones(1), 1));
    }

    [TestMethod]
    public void Reductions_keep_or_drop_the_dimensions_they_are_told()
    {
        using var scope = NewDisposeScope();
        Tensor cube = arange(24, dtype: float64).view(2, 3, 4);

        CollectionAssert.AreEqual(new long[] { 2, 4 }, cube.sum(1).shape);
        CollectionAssert.AreEqual(new long[] { 2, 1, 4 }, cube.mean([1], keepdim: true).shape);
        CollectionAssert.AreEqual(new long[] { 3 }, cube.amax([0, 2]).shape);
        Assert.AreEqual(276, cube.sum().item<double>());
        Assert.AreEqual(float64, ones(2).sum(float64).dtype);
        Assert.AreEqual(Math.Sqrt(50), arange(6, dtype: float64).view(2, 3)[1].norm().item<double>(), 1e-12);
        (Tensor values, Tensor indexes) = cube[0, 0].topk(2);
        CollectionAssert.AreEqual(new double[] { 3, 2 }, values.data<double>().ToArray());
        CollectionAssert.AreEqual(new long[] { 3, 2 }, indexes.data<long>().ToArray());
        CollectionAssert.AreEqual(new double[] { 0, 1, 3, 6 }, cube[0, 0].cumsum(0).data<double>().ToArray());
        Assert.AreEqual(1, cube[0, 0].var(0, unbiased: false).item<double>() / 1.25, 1e-12);
        Assert.AreEqual(Math.Log(Math.E + 1), tensor(new double[] { 1, 0 }).logsumexp(0).item<double>(), 1e-12);
    }

    [TestMethod]
    public void A_tensor_saved_to_a_file_is_loaded_as_it_was()
    {
        using var scope = NewDisposeScope();
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            Tensor values = randn(3, 4);
            values.save(path);
            Assert.IsTrue(values.Equals(load(path)));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [TestMethod]
    public void A_tensor_names_its_shape_type_and_device() => Assert.AreEqual("[2x3], type = Float32, device = cpu", zeros(2, 3).ToString());
}
