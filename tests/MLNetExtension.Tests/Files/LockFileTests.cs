using MLNetExtension.Files;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Files;

[TestClass]
public sealed class LockFileTests
{
    [TestMethod]
    public void A_lock_excludes_others_until_it_is_disposed_of()
    {
        using TemporaryFolder folder = new();
        using (LockFile first = LockFile.TryTake(folder["lock"])!)
            Assert.IsNull(LockFile.TryTake(folder["lock"]));
        using LockFile? second = LockFile.TryTake(folder["lock"]);
        Assert.IsNotNull(second);
    }

    [TestMethod]
    public void A_lock_that_is_to_be_deleted_leaves_nothing()
    {
        using TemporaryFolder folder = new();
        LockFile.TryTake(folder["lock"], deleteOnDispose: true)!.Dispose();
        Assert.IsEmpty(folder.Names);
    }

    [TestMethod]
    public void A_place_that_cannot_be_written_is_an_error_and_no_lock_of_another() =>
        Assert.Throws<IOException>(() => LockFile.TryTake(Path.Combine(Path.GetTempPath(), "no such folder", "lock")));
}
