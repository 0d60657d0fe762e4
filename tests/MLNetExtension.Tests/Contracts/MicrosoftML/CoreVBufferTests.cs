using Microsoft.ML.Data;

namespace MLNetExtension.Tests.Contracts.MicrosoftML;

[TestClass]
public sealed class CoreVBufferTests
{
    [TestMethod]
    public void A_sparse_vector_reads_as_its_dense_one()
    {
        VBuffer<float> sparse = new(5, 2, [7f, 9f], [1, 3]);
        Assert.IsFalse(sparse.IsDense);
        CollectionAssert.AreEqual(new float[] { 0, 7, 0, 9, 0 }, sparse.DenseValues().ToArray());
        CollectionAssert.AreEqual(new float[] { 7, 9 }, sparse.GetValues().ToArray());
        CollectionAssert.AreEqual(new[] { 1, 3 }, sparse.GetIndices().ToArray());
        Assert.AreEqual("1=7 3=9", string.Join(' ', sparse.Items().Select(item => $"{item.Key}={item.Value}")));
        Assert.AreEqual("0=0 1=7 2=0 3=9 4=0", string.Join(' ', sparse.Items(all: true).Select(item => $"{item.Key}={item.Value}")));
        Assert.AreEqual(9f, sparse.GetItemOrDefault(3));
        Assert.AreEqual(0f, sparse.GetItemOrDefault(4));
        Assert.AreEqual("Sparse vector of size 5, 2 explicit values", sparse.ToString());

        VBuffer<float> dense = default;
        sparse.CopyToDense(ref dense);
        Assert.IsTrue(dense.IsDense);
        Assert.AreEqual("Dense vector of size 5", dense.ToString());
        float[] filled = new float[6];
        sparse.CopyTo(filled, 1, -1);
        CollectionAssert.AreEqual(new float[] { 0, -1, 7, -1, 9, -1 }, filled);
    }

    [TestMethod]
    public void An_editor_reuses_arrays_that_are_long_enough()
    {
        VBuffer<int> buffer = default;
        VBufferEditor<int> editor = VBufferEditor.Create(ref buffer, 4);
        Assert.IsTrue(editor.CreatedNewValues);
        for (int i = 0; i < 4; i++)
            editor.Values[i] = i;
        buffer = editor.Commit();
        CollectionAssert.AreEqual(new[] { 0, 1, 2, 3 }, buffer.GetValues().ToArray());

        VBufferEditor<int> again = VBufferEditor.Create(ref buffer, 3);
        Assert.IsFalse(again.CreatedNewValues);
        Assert.AreEqual(3, again.Commit().Length);

        VBufferEditor<int> sparse = VBufferEditor.Create(ref buffer, 10, 2);
        sparse.Values[0] = 5;
        sparse.Indices[0] = 9;
        VBuffer<int> truncated = sparse.CommitTruncated(1);
        Assert.AreEqual(5, truncated.GetItemOrDefault(9));
        Assert.AreEqual(1, truncated.GetValues().Length);
    }

    [TestMethod]
    public void A_vector_longer_than_its_values_is_refused()
    {
        Assert.AreEqual("values", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new VBuffer<int>(3, [1, 2])).ParamName);
        Assert.AreEqual("indices", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new VBuffer<int>(3, 2, [1, 2], [0])).ParamName);
        Assert.AreEqual("index", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new VBuffer<int>(1, [1]).GetItemOrDefault(1)).ParamName);
        Assert.AreEqual("destination", Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => new VBuffer<int>(2, [1, 2]).CopyTo(new int[1])).ParamName);
    }

    [TestMethod]
    public void A_copy_is_not_the_original()
    {
        int[] values = [1, 2, 3];
        VBuffer<int> buffer = new(3, values);
        VBuffer<int> copy = default;
        buffer.CopyTo(ref copy);
        values[0] = 100;
        Assert.AreEqual(1, copy.GetItemOrDefault(0));
        Assert.AreEqual(100, buffer.GetItemOrDefault(0));
    }
}
