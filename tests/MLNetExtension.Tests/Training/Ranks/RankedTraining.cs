using MLNetExtension.Training.Optimization;
using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using MLNetExtension.Evaluation;
using MLNetExtension.Tests.MLNet;
using MLNetExtension.Training;

namespace MLNetExtension.Tests.Training.Ranks;

/// <summary>A training of 12 steps by <c>Fit</c>, on one rank or on several.</summary>
internal static class RankedTraining
{
    /// <summary>Trains as a rank of MPI and says the losses that the model gives.</summary>
    /// <param name="arguments">None; or the folder of checkpoints, the rank that is to kill its process, and after which checkpoint.</param>
    public static int Run(string[] arguments)
    {
        RankOptions ranks = RankOptions.Mpi();
        if (arguments.Length == 3 && ranks.Rank == int.Parse(arguments[1], CultureInfo.InvariantCulture))
            KillAfter(Path.Combine(arguments[0], $"step-{int.Parse(arguments[2], CultureInfo.InvariantCulture):D10}"));
        MpiRun.Say(ranks.Open(), string.Join(' ', Losses(ranks, arguments.FirstOrDefault()).Select(loss => loss.ToString("R", CultureInfo.InvariantCulture))));
        return 0;
    }

    /// <summary>Trains and gives the loss of all rows, as <c>Evaluate</c> does, and then of each row.</summary>
    /// <param name="ranks">The ranks; null for this process alone.</param>
    /// <param name="checkpoints">The folder of checkpoints; null for none.</param>
    public static double[] Losses(RankOptions? ranks, string? checkpoints)
    {
        var context = new MLContext(seed: 1);
        CausalLanguageModelTrainer.Options options = Tiny.Options(steps: 12);
        options.Ranks = ranks;
        options.Checkpoints = checkpoints is null ? null : new() { Folder = checkpoints, Interval = 2 };
        options.Batching = new() { MaximumTokensPerMicroBatch = 64 };
        options.Optimizer = new AdamWOptions { Epsilon = 1e-6 };    // see RankLawTests
        IDataView rows = Tiny.Rows(context, Tiny.Texts);
        using CausalLanguageModelTransformer model = context.CausalLanguageModeling.Trainers.CausalLanguageModel(options).Fit(rows);
        CausalLanguageModelMetrics metrics = context.CausalLanguageModeling.Evaluate(model.Transform(rows));
        return [metrics.Loss, .. Tiny.Score(context, model, rows).Select(row => (double)row.LossSum)];
    }

    private static void KillAfter(string checkpoint) => new Thread(() =>
    {
        SpinWait.SpinUntil(() => Directory.Exists(checkpoint));
        Process.GetCurrentProcess().Kill();
    })
    { IsBackground = true }.Start();
}
