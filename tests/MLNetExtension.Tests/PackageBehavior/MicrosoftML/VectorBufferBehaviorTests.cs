using Microsoft.ML.Data;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET's vectors write out their zeros when they are copied, and their editor writes into the caller's storage: <see cref="MLNetExtension.MLNet.Schema.RowReader"/> reads token ids by the first,
/// <see cref="MLNetExtension.MLNet.Scoring.RowValues"/> gives log probabilities by the second.
/// </summary>
[TestClass]
public sealed class VectorBufferBehaviorTests
{
    [TestMethod]
    public void A_sparse_vector_is_copied_with_its_zeros()
    {
        VBuffer<int> sparse = new(5, 2, [7, 9], [1, 3]);
        int[] ids = [-1, -1, -1, -1, -1];

        sparse.CopyTo(ids);

        CollectionAssert.AreEqual(new[] { 0, 7, 0, 9, 0 }, ids);
    }

    [TestMethod]
    public void An_editor_writes_into_storage_that_is_long_enough_and_makes_the_vector_dense()
    {
        float[] storage = [1, 2, 3, 4];
        VBuffer<float> buffer = new(6, 2, storage, [0, 5]);

        VBufferEditor<float> editor = VBufferEditor.Create(ref buffer, 3);
        editor.Values[0] = 9;
        VBuffer<float> written = editor.Commit();

        Assert.IsTrue(written.IsDense);
        Assert.AreEqual(3, written.Length);
        Assert.AreEqual(9, storage[0]);
    }
}
