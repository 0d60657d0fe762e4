using Microsoft.ML;
using Microsoft.ML.Runtime;

namespace MLNetExtension.Tests.PackageBehavior.MicrosoftML;

/// <summary>
/// ML.NET's seeded context always draws the same numbers, and its channels pass lines on as they are: <see cref="MLNetExtension.CausalLanguageModelTrainer"/> takes its seed from the one
/// and writes its lines, which may hold braces, to the other.
/// </summary>
[TestClass]
public sealed class EnvironmentBehaviorTests
{
    // Other numbers would give another model to a user who sets the context's seed and not the trainer's.
    [TestMethod]
    public void A_context_with_a_seed_gives_its_components_these_very_numbers()
    {
        IHostEnvironment context = new MLContext(seed: 1);

        int[] drawn = [.. Enumerable.Range(0, 3).Select(_ => context.Register("Trainer").Rand.Next())];

        Assert.AreEqual("1752537088, 798840056, 1660218241", string.Join(", ", drawn));
    }

    // Samples.Jobs.WarningPrinter shows the raw message of warnings.
    [TestMethod]
    public void A_line_keeps_its_braces_and_comes_with_its_kind()
    {
        MLContext context = new();
        List<string> seen = [];
        context.Log += (_, message) => seen.Add($"{message.Kind}: {message.RawMessage}");

        using (IChannel channel = ((IHostEnvironment)context).Register("Trainer").Start("Training"))
        {
            channel.Info(MessageSensitivity.None, "column '{0}'");
            channel.Warning(MessageSensitivity.None, "rows {a}");
        }

        CollectionAssert.IsSubsetOf(new[] { "Info: column '{0}'", "Warning: rows {a}" }, seen);
    }
}
