using System.Text;
using Microsoft.ML;
using MLNetExtension.Tests.Samples;
using static MLNetExtension.Tests.MLNet.Tiny;
using static MLNetExtension.Tests.MLNet.Trainer.CheckpointRuns;

namespace MLNetExtension.Tests.MLNet.Trainer;

/// <summary>Checkpoints that are truncated, altered or forged: the newest of two is damaged, and training resumes from the older one, after step 9.</summary>
[TestClass]
public sealed class DamagedCheckpointTests
{
    // Each gives a file of the checkpoint, and its bytes another content.
    private static readonly Dictionary<string, (string File, Func<byte[], byte[]?> Change)> Damages = new()
    {
        ["tensors truncated"] = ("tensors.safetensors", bytes => bytes[..^1]),
        ["tensors longer"] = ("tensors.safetensors", bytes => [.. bytes, 0]),
        ["tensors missing"] = ("tensors.safetensors", _ => null),
        ["a bit of the tensors flipped"] = ("tensors.safetensors", bytes => Flip(bytes, bytes.Length - 5)),
        ["the tensors' header flipped"] = ("tensors.safetensors", bytes => Flip(bytes, 3)),
        ["state flipped"] = ("state.json", bytes => Flip(bytes, bytes.Length / 2)),
        ["state empty"] = ("state.json", _ => []),
        ["marker missing"] = ("complete.json", _ => null),
        ["marker empty"] = ("complete.json", _ => []),
        ["marker truncated"] = ("complete.json", bytes => bytes[..^2]),
        ["marker null"] = ("complete.json", _ => "null"u8.ToArray()),
        ["marker of nulls"] = ("complete.json", _ => "[null,null]"u8.ToArray()),
        ["marker without a file"] = ("complete.json", _ => "[]"u8.ToArray()),
        ["marker an object"] = ("complete.json", _ => "{}"u8.ToArray()),
        ["marker of numbers"] = ("complete.json", _ => "[1,2]"u8.ToArray()),
        ["the key Name altered"] = ("complete.json", bytes => Replace(bytes, "\"Name\":\"state", "\"Nbme\":\"state")),
        ["Name null"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "null")),
        ["Name a number"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "7")),
        ["Name of another file"] = ("complete.json", bytes => Replace(bytes, "state.json", "stale.json")),
        ["Name that leads out"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "\"../step-0000000009/state.json\"")),
        ["Name rooted"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "\"/dev/zero\"")),
        ["Name with a null character"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "\"state.json\\u0000\"")),
        ["Name with half a surrogate pair"] = ("complete.json", bytes => Replace(bytes, "\"state.json\"", "\"\\ud800\"")),
        ["Name twice"] = ("complete.json", bytes => Replace(bytes, "tensors.safetensors", "state.json")),
        ["Length negative"] = ("complete.json", bytes => Replace(bytes, "\"Length\":", "\"Length\":-")),
        ["Length a string"] = ("complete.json", bytes => Replace(bytes, "\"Length\":", "\"Length\":\"1\",\"x\":")),
        ["Length too large for a number"] = ("complete.json", bytes => Replace(bytes, "\"Length\":", "\"Length\":99999999999999999999")),
        ["Sha256 null"] = ("complete.json", bytes => Replace(bytes, "\"Sha256\":", "\"Sha256\":null,\"x\":")),
        ["Sha256 missing"] = ("complete.json", bytes => Replace(bytes, "Sha256", "Sha512")),
        ["a key twice"] = ("complete.json", bytes => Replace(bytes, "\"Length\":", "\"Length\":1,\"Length\":")),
    };

    public static IEnumerable<string> Names => Damages.Keys;

    // Seen to fail with: the newest passed over without a word, an exception of the JSON reader, and ArgumentNullException.
    [TestMethod]
    [DynamicData(nameof(Names))]
    public void A_damaged_checkpoint_is_named_in_a_warning_and_the_older_one_is_resumed_from(string damage)
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        (string file, Func<byte[], byte[]?> change) = Damages[damage];
        string path = PathOf(folder, 10, file);
        if (change(File.ReadAllBytes(path)) is { } content)
            File.WriteAllBytes(path, content);
        else
            File.Delete(path);
        AssertResumesFromTheOlder(folder);
    }

    // With the right length and hash in the marker.
    [TestMethod]
    [DataRow("\"Steps\":10", "\"Steps\":-10")]
    [DataRow("\"Steps\":10", "\"Steps\":11")]
    [DataRow("\"Steps\":10", "\"Steps\":null")]
    [DataRow("\"Steps\":10", "\"Steps\":1e1")]
    [DataRow("\"Steps\":10", "\"Step\":10")]
    [DataRow("\"Steps\":10", "\"Steps\":99999999999")]
    [DataRow("\"Updates\":10", "\"Updates\":11")]
    [DataRow("\"Updates\":10", "\"Updates\":-1")]
    [DataRow("\"Updates\":10", "\"Updates\":\"10\"")]
    [DataRow("\"FormatVersion\":1", "\"FormatVersion\":0")]
    [DataRow("\"FormatVersion\":1", "\"FormatVersion\":null")]
    [DataRow("\"Elapsed\":\"", "\"Elapsed\":\"-")]
    [DataRow("\"Elapsed\":\"", "\"Elapsed\":\"10000000.")]
    [DataRow("\"Elapsed\":\"", "\"Elapsed\":\"soon ")]
    [DataRow("\"Elapsed\":\"", "\"Elapsed\":7,\"x\":\"")]
    [DataRow("\"TargetTokens\":", "\"TargetTokens\":-")]
    [DataRow("\"TargetTokens\":", "\"TargetTokens\":9223372036854775807,\"x\":")]
    [DataRow("\"Settings\":{", "\"Settings\":null,\"x\":{")]
    [DataRow("\"Settings\":{", "\"Settings\":[],\"x\":{")]
    [DataRow("\"Settings\":{", "\"Settings\":{\"x\":null,")]
    [DataRow("\"Settings\":{", "\"Settings\":{\"x\":1,")]
    [DataRow("\"Settings\":{", "\"Settings\":{\"x\":\"\\ud800\",")]
    [DataRow("\"Best\":null", "\"Best\":7")]
    [DataRow("\"Best\":null", "\"Best\":{}")]
    [DataRow("\"Best\":null", "\"Best\":{\"Loss\":null,\"Step\":0,\"LastStep\":11,\"WithoutImprovement\":1}")]
    [DataRow("\"Best\":null", "\"Best\":{\"Loss\":null,\"Step\":0,\"LastStep\":10,\"WithoutImprovement\":99}")]
    [DataRow("\"Best\":null", "\"Best\":{\"Loss\":null,\"Step\":-1,\"LastStep\":10,\"WithoutImprovement\":1}")]
    [DataRow("\"Best\":null", "\"Best\":{\"Loss\":1e999,\"Step\":1,\"LastStep\":10,\"WithoutImprovement\":1}")]
    [DataRow("\"Best\":null", "\"Best\":{\"Loss\":1.5,\"Step\":1,\"LastStep\":10,\"WithoutImprovement\":1}", DisplayName = "best weights that are not there")]
    [DataRow("{\"FormatVersion\"", "[{\"FormatVersion\"")]
    public void A_forged_state_counts_as_damaged(string before, string after)
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        ForgeState(folder, 10, before, after);
        AssertResumesFromTheOlder(folder);
    }

    // Seen to fail with: a training that went on from weights that are not numbers.
    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void A_checkpoint_whose_weights_are_not_finite_counts_as_damaged(float value)
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        Forge(folder, 10, "tensors.safetensors", bytes =>
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(bytes.Length / 2 / 4 * 4 + bytes.Length % 4), value);
            return bytes;
        });
        AssertResumesFromTheOlder(folder);
    }

    // The length of a link is that of its text. Seen to fail with: a device that is read for ever.
    [TestMethod]
    [OSCondition(OperatingSystems.Linux)]
    [Timeout(60_000)]
    [DataRow("complete.json")]
    [DataRow("state.json")]
    [DataRow("tensors.safetensors")]
    public void A_link_to_a_device_counts_as_damaged(string file)
    {
        const string Device = "/dev/zero";
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        string path = PathOf(folder, 10, file), marker = PathOf(folder, 10, "complete.json");
        File.WriteAllText(marker, File.ReadAllText(marker).Replace($":{new FileInfo(path).Length},", $":{Device.Length},", StringComparison.Ordinal));
        File.Delete(path);
        File.CreateSymbolicLink(path, Device);
        AssertResumesFromTheOlder(folder);
    }

    // The control: the same forgery that changes nothing is resumed from.
    [TestMethod]
    public void A_checkpoint_that_is_whole_is_resumed_from_without_a_warning()
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        ForgeState(folder, 10, "\"FormatVersion\":1", " \"FormatVersion\" : 1");
        var mlContext = new MLContext(seed: 1);
        List<string> lines = LogOf(mlContext);
        using var model = Train(mlContext, Resumable(folder.Path));
        Assert.AreEqual(0, model.Training!.Steps);
        Assert.DoesNotContain(line => line.Contains("damaged"), lines);
    }

    // Seen to fail with: a training that started anew without a word.
    [TestMethod]
    public void Where_none_is_whole_training_does_not_start_anew_by_itself()
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        DamageBoth(folder);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => Train(new MLContext(seed: 1), Resumable(folder.Path)));
        foreach (string part in (string[])[folder.Path, NameOf(9), NameOf(10), "state.json", "complete.json", "Checkpoints.RestartIfDamaged"])
            Assert.Contains(part, error.Message);
        CollectionAssert.AreEqual(new[] { NameOf(9), NameOf(10) }, folder.Names);
    }

    [TestMethod]
    public void Where_none_is_whole_training_starts_anew_if_it_is_told_to()
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        DamageBoth(folder);
        var options = Resumable(folder.Path);
        options.Checkpoints = options.Checkpoints! with { RestartIfDamaged = true };
        string[] early = [];
        options.Progress = new Tiny.Progress(step => early = step.Step == 4 ? folder.Names : early);
        var mlContext = new MLContext(seed: 1);
        List<string> lines = LogOf(mlContext);
        using var model = Train(mlContext, options);

        Assert.AreEqual(10, model.Training!.Steps);
        CollectionAssert.AreEqual(LossesOfWholeTraining(), LossesOf(model));
        Assert.ContainsSingle(line => line.Contains("starts from the beginning") && line.Contains(folder.Path), lines);
        CollectionAssert.AreEqual(new[] { NameOf(3), NameOf(9), NameOf(10), "training.lock" }, early, "the damaged ones stay until they are overwritten");
        CollectionAssert.AreEqual(new[] { NameOf(9), NameOf(10) }, folder.Names);
        options = Resumable(folder.Path);
        using var again = Train(new MLContext(seed: 1), options);
        Assert.AreEqual(0, again.Training!.Steps);
    }

    // The control: the option changes nothing where one is whole.
    [TestMethod]
    public void A_whole_checkpoint_is_resumed_from_even_where_training_may_start_anew()
    {
        using TemporaryFolder folder = new();
        WriteCheckpoints(folder.Path);
        File.Delete(PathOf(folder, 10, "complete.json"));
        var options = Resumable(folder.Path);
        options.Checkpoints = options.Checkpoints! with { RestartIfDamaged = true };
        using var model = Train(new MLContext(seed: 1), options);
        Assert.AreEqual(1, model.Training!.Steps);
    }

    private static void DamageBoth(TemporaryFolder folder)
    {
        File.WriteAllText(PathOf(folder, 9, "state.json"), "{}");
        File.Delete(PathOf(folder, 10, "complete.json"));
    }

    private static void AssertResumesFromTheOlder(TemporaryFolder folder)
    {
        var mlContext = new MLContext(seed: 1);
        List<string> lines = LogOf(mlContext);
        using var model = Train(mlContext, Resumable(folder.Path));
        Assert.AreEqual(1, model.Training!.Steps);
        Assert.ContainsSingle(line => line.Contains("damaged") && line.Contains(folder[NameOf(10)]), lines);
        Assert.ContainsSingle(line => line.Contains("resumes after step 9"), lines);
        using var again = Train(new MLContext(seed: 1), Resumable(folder.Path));
        Assert.AreEqual(0, again.Training!.Steps, "the damaged one has been overwritten");
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        bytes[at] ^= 1;
        return bytes;
    }

    private static byte[] Replace(byte[] bytes, string before, string after)
    {
        string text = Encoding.UTF8.GetString(bytes);
        Assert.Contains(before, text);
        return Encoding.UTF8.GetBytes(text.Replace(before, after, StringComparison.Ordinal));
    }
}
