using System.Text.Json;

namespace MLNetExtension.Tests.Samples;

[TestClass]
public sealed class LossArgumentsTests
{
    private static TemporaryFolder _folder = null!;
    private static string _rows = null!;

    [ClassInitialize]
    public static void Write(TestContext context)
    {
        _folder = new TemporaryFolder();
        _rows = _folder.WritePrompts("pairs.jsonl");
    }

    [ClassCleanup]
    public static void CleanUp() => _folder.Dispose();

    [TestMethod]
    public void Each_loss_and_each_teacher_trains_another_model_and_is_reported()
    {
        JsonElement plain = Train("plain"), dft = Train("dft", "--loss", "dft", "--z-loss", "1e-3"), focal = Train("focal", "--loss", "Focal", "--focal-gamma", "3"), smooth = Train("smooth", "--label-smoothing", "0.5");
        string teacher = Path.Combine(_folder["plain"], "model.zip");
        JsonElement forward = Train("forward", "--teacher", teacher), reverse = Train("reverse", "--teacher", teacher, "--divergence", "reverseKl", "--teacher-share", "1", "--teacher-temperature", "2", "--seed", "1");

        double[] losses = [.. new[] { plain, dft, focal, smooth, forward, reverse }.Select(metrics => metrics.GetProperty("after").GetProperty("loss").GetDouble())];
        CollectionAssert.AllItemsAreUnique(losses);
        Assert.AreEqual("focal loss with gamma 3", focal.GetProperty("settings").GetProperty("loss").GetString());
        Assert.AreEqual(teacher, forward.GetProperty("settings").GetProperty("teacher").GetString());
        Assert.AreEqual("cross entropy", plain.GetProperty("settings").GetProperty("loss").GetString());
    }

    [TestMethod]
    public void A_published_model_teaches_another_of_its_tokenizer()
    {
        string published = PublishedModel.Write(_folder["base"]);
        (int exitCode, _, string error) = CommandLine.Run(
            "finetune", "--base", published, "--teacher", published, "--divergence", "jensenShannon", "--data", _rows, "--steps", "2", "--rank", "2", "--output", _folder["tuned"]);
        Assert.AreEqual((0, ""), (exitCode, error));
    }

    [TestMethod]
    [DataRow("--focal-gamma needs --loss focal.", "--focal-gamma", "3")]
    [DataRow("--focal-gamma needs --loss focal.", "--focal-gamma", "3", "--loss", "dft")]
    [DataRow("--focal-gamma is 101; allowed is from 0 to 100.", "--loss", "focal", "--focal-gamma", "101")]
    [DataRow("--label-smoothing is 1; allowed is from 0 to below 1.", "--label-smoothing", "1")]
    [DataRow("Loss.LabelSmoothing is 0.1; allowed is 0 where Loss.Kind is dynamic fine-tuning", "--label-smoothing", "0.1", "--loss", "dft")]
    [DataRow("--teacher-share, --teacher-temperature and --divergence need --teacher.", "--teacher-share", "0.5")]
    [DataRow("--teacher-share is 0; allowed is above 0 and at most 1.", "--teacher", "x", "--teacher-share", "0")]
    [DataRow("--teacher-temperature is 1000; allowed is from 0.01 to 100.", "--teacher", "x", "--teacher-temperature", "1000")]
    [DataRow("--teacher nowhere does not exist; it must be a folder with a published model, or a model that train or finetune saved.", "--teacher", "nowhere")]
    public void What_does_not_go_together_is_refused_in_one_line(string message, params string[] more)
    {
        (int exitCode, _, string error) = CommandLine.TrainTiny(_rows, _folder["refused"], more);
        Assert.AreNotEqual(0, exitCode);
        StringAssert.Contains(error, message);
        Assert.HasCount(1, error.TrimEnd().Split('\n'));
    }

    [TestMethod]
    [DataRow("train")]
    [DataRow("finetune")]
    public void Help_tells_the_losses(string command)
    {
        string help = CommandLine.Run(command, "--help").Output;
        foreach (string option in (string[])["--loss <CrossEntropy|Dft|Focal>", "--teacher <DIR|FILE>", "--divergence <ForwardKl|ReverseKl|JensenShannon>", "--label-smoothing <X>", "--z-loss <X>"])
            Assert.Contains(option, help);
    }

    private static JsonElement Train(string name, params string[] more)
    {
        (int exitCode, _, string error) = CommandLine.TrainTiny(_rows, _folder[name], more);
        Assert.AreEqual((0, ""), (exitCode, error));
        return JsonSerializer.Deserialize<JsonElement>(File.ReadAllText(Path.Combine(_folder[name], "metrics.json")));
    }
}
