using System.Diagnostics;
using Microsoft.ML;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Tests.Formats.HuggingFace;
using MLNetExtension.Tests.Models.Lora;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Tokenization;
using Samples.Jobs;
using Samples.Text;

namespace MLNetExtension.Tests.Files;

/// <summary>A pipe that nobody writes to makes its reader wait for ever, and a device never ends: both are refused wherever a stranger's folder is read. On Linux and macOS.</summary>
[TestClass]
[OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
public sealed class RegularFileTests
{
    // Far more than a refusal takes, far less than for ever.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    // Seen to fail with: the file opened, as it was (each waits for the pipe until the test gives up).
    [TestMethod]
    [DataRow("llama", "config.json")]
    [DataRow("llama", "generation_config.json")]
    [DataRow("llama", "model.safetensors")]
    [DataRow("mixtral", "model.safetensors.index.json")]
    [DataRow("mixtral", "model-00002-of-00003.safetensors")]
    public void A_pipe_or_a_device_in_a_models_folder_is_refused_by_name(string model, string file)
    {
        foreach (Action<string> make in new Action<string>[] { MakePipe, LinkToPipe, path => File.CreateSymbolicLink(path, "/dev/zero") })
        {
            using CheckpointCopy copy = new(model);
            File.Delete(copy[file]);
            make(copy[file]);
            AssertRefused(copy[file], () => HuggingFaceModel.Load(copy.Path).Dispose());
        }
    }

    [TestMethod]
    [DataRow("tokenizer.json")]
    [DataRow("tokenizer.model")]
    [DataRow("tokenizer_config.json")]
    public void A_pipe_among_tokenizer_files_is_refused_by_name(string file)
    {
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.json", "{}");
        File.Delete(folder[file]);
        MakePipe(folder[file]);
        AssertRefused(folder[file], () => TokenizerFolder.Load(folder.Path));
    }

    [TestMethod]
    [DataRow("adapter_config.json")]
    [DataRow("adapter_model.safetensors")]
    public void A_pipe_in_a_folder_of_adapters_is_refused_by_name(string file)
    {
        using TemporaryFolder folder = new();
        using CausalLanguageModel saved = Adapted.Model("Llama"), model = Adapted.Model("Llama");
        HuggingFaceAdapters.Save(HuggingFaceAdapters.Attach(saved, new() { Rank = 2 }, 1), folder.Path);
        File.Delete(folder[file]);
        MakePipe(folder[file]);
        AssertRefused(folder[file], () => HuggingFaceAdapters.Load(model, folder.Path));
    }

    [TestMethod]
    [DataRow("rows.txt")]
    [DataRow("rows.csv")]
    [DataRow("rows.jsonl")]
    public void A_pipe_or_a_device_as_rows_is_refused_by_name(string file)
    {
        using TemporaryFolder folder = new();
        MakePipe(folder[file]);
        AssertRefused(folder[file], () => RowFile.Read(folder[file], new RowColumns()));
        AssertRefused("/dev/zero", () => RowFile.Read("/dev/zero", new RowColumns()));
    }

    [TestMethod]
    public void A_pipe_as_a_saved_model_is_refused_by_name()
    {
        using TemporaryFolder folder = new();
        MakePipe(folder["model.zip"]);
        AssertRefused(folder["model.zip"], () => TrainedModel.Load(new MLContext(), folder["model.zip"]).Dispose());
    }

    // As Hugging Face's cache keeps a model: every file in snapshots/ is a link out of the folder, to a file in blobs/ named by its hash.
    [TestMethod]
    public void A_folder_of_links_to_files_elsewhere_is_read()
    {
        using CheckpointCopy copy = new("llama");
        using TemporaryFolder cache = new();
        string snapshot = Directory.CreateDirectory(cache["snapshots/0123456789abcdef"]).FullName, blobs = Directory.CreateDirectory(cache["blobs"]).FullName;
        foreach (string path in Directory.GetFiles(copy.Path))
        {
            string blob = Path.Combine(blobs, Guid.NewGuid().ToString("N"));
            File.Move(path, blob);
            File.CreateSymbolicLink(Path.Combine(snapshot, Path.GetFileName(path)), $"../../blobs/{Path.GetFileName(blob)}");
        }

        using HuggingFaceModel model = HuggingFaceModel.Load(snapshot);

        Assert.IsGreaterThan(0, model.Model.parameters().Count());
    }

    // A length is all that is looked at: a file of 4 GB takes no memory and no time. Seen to fail with: no limit, as it was (OverflowException).
    [TestMethod]
    [DataRow("config.json")]
    [DataRow("generation_config.json")]
    public void A_configuration_of_four_gigabytes_is_refused_unread(string file)
    {
        using CheckpointCopy copy = new("llama");
        using (FileStream stream = File.Create(copy[file]))
            stream.SetLength(4_000_000_000);
        long before = GC.GetAllocatedBytesForCurrentThread();

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose());

        Assert.AreEqual($"{copy[file]} has 4000000000 bytes, expected at most 100000000.", error.Message);
        Assert.IsLessThan(10_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // On a thread of its own: where it blocks, the test fails instead of waiting.
    private static void AssertRefused(string path, Action load)
    {
        Task<Exception?> loading = Task.Run(() =>
        {
            try
            {
                load();
                return null;
            }
            catch (Exception exception)
            {
                return (Exception?)exception;
            }
        });
        if (!loading.Wait(Limit))
            Assert.Fail($"{path}: its reader still waits.");
        Exception error = loading.Result ?? throw new AssertFailedException($"{path} was read.");
        StringAssert.Contains(error.Message, path);
        StringAssert.Contains(error.Message, "is empty or not a regular file; pipes and devices are not read.");
    }

    private static void LinkToPipe(string path)
    {
        MakePipe(path + ".pipe");
        File.CreateSymbolicLink(path, path + ".pipe");
    }

    private static void MakePipe(string path)
    {
        using Process process = Process.Start("mkfifo", [path]);
        process.WaitForExit();
        Assert.AreEqual(0, process.ExitCode);
    }
}
