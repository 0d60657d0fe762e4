using MLNetExtension.Training.Optimization;

namespace Samples.Jobs;

/// <summary>The optimizers that the command line offers, each with its defaults.</summary>
internal enum OptimizerChoice
{
    AdamW,
    AdamW8Bit,
    Muon,
    Adafactor,
    Lion,
    Sgd,
}

internal static class OptimizerChoiceExtensions
{
    /// <summary>The options of the optimizer.</summary>
    public static OptimizerOptions CreateOptions(this OptimizerChoice choice) => choice switch
    {
        OptimizerChoice.AdamW8Bit => new AdamWOptions { StateBits = 8 },
        OptimizerChoice.Muon => new MuonOptions(),
        OptimizerChoice.Adafactor => new AdafactorOptions(),
        OptimizerChoice.Lion => new LionOptions(),
        OptimizerChoice.Sgd => new SgdOptions(),
        _ => new AdamWOptions(),
    };
}
