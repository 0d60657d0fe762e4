using MLNetExtension.Data;
using MLNetExtension.Models;
using MLNetExtension.Training;
using MLNetExtension.Training.Reports;

namespace MLNetExtension.Tests;

internal static class TrainingLoopExtensions
{
    extension(TrainingLoop)
    {
        /// <summary>Trains with nothing but options and a callback.</summary>
        public static TrainingSummary Run(CausalLanguageModel model, IReadOnlyList<TokenExample> examples, TrainingOptions options, int seed, Action<StepReport>? onStep = null) =>
            TrainingLoop.Run(new TrainingRun(model, examples, options, seed) { OnStep = onStep });
    }
}
