using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models;
using MLNetExtension.Tests.Samples;
using MLNetExtension.Training;
using MLNetExtension.Training.Resume;
using static TorchSharp.torch;

namespace MLNetExtension.Tests.Models.Lora;

[TestClass]
public sealed class AdapterResumeTests
{
    [TestMethod]
    [DataRow("GPT-2 with DoRA, whole modules")]
    [DataRow("Llama with DoRA, PiSSA, whole modules")]
    [DataRow("Llama with int8, DoRA, PiSSA")]
    [DataRow("GPT-2 with bf16")]
    public void A_resumed_training_of_adapters_equals_an_uninterrupted_one_bit_for_bit(string kind)
    {
        using TemporaryFolder folder = new();
        Dictionary<string, byte[]> expected = Run(null, int.MaxValue)!;
        Assert.IsNull(Run(folder.Path, 5));
        Dictionary<string, byte[]> actual = Run(folder.Path, int.MaxValue)!;
        Adapted.AssertEqual(expected, actual);

        // A new model each time, as a new process makes it.
        Dictionary<string, byte[]>? Run(string? checkpoints, int interruption)
        {
            using CausalLanguageModel model = Adapted.Model(kind, ScalarType.Float32);
            HuggingFaceAdapters.StoreBase(model, Adapted.Options(kind), keepsValues: true);
            HuggingFaceAdapters.Attach(model, Adapted.Options(kind) with { Rank = 2, Dropout = 0.2 }, seed: 1);
            using CheckpointFolder? opened = checkpoints is null ? null : CheckpointFolder.Open(checkpoints);
            using CancellationTokenSource source = new();
            TrainingOptions options = new() { BatchSize = 4, MaximumSteps = 9, Schedule = new() { WarmupSteps = 3 }, Batching = new() { MaximumTokensPerMicroBatch = 50 } };
            int last = 0;
            TrainingRun run = new(model, Ragged.Examples(18), options, Seed: 1)
            {
                CancellationToken = source.Token,
                Checkpoints = opened is null ? null : new CheckpointManager(opened, interval: 1, new Dictionary<string, string>()),
                OnStep = step =>
                {
                    last = step.Step;
                    if (step.Step == interruption)
                        source.Cancel();
                },
            };
            try
            {
                TrainingLoop.Run(run);
            }
            catch (OperationCanceledException)
            {
                Assert.AreEqual(interruption, last);
                return null;
            }
            return Adapted.Trained(model);
        }
    }
}
