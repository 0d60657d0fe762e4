using MLNetExtension.Losses;
using MLNetExtension.Models;
using TorchSharp.Modules;

namespace MLNetExtension.Training.Accumulation;

/// <summary>How the gradient of a batch is computed.</summary>
internal sealed record GradientSettings
{
    /// <summary>What the accumulated gradient is divided by.</summary>
    public LossNormalization Normalization { get; init; } = LossNormalization.Token;

    /// <summary>The loss over targets.</summary>
    public ITokenLoss Loss { get; init; } = new LinearCrossEntropy();

    /// <summary>Size of the noise on embedded tokens, see <see cref="Accumulation.EmbeddingNoise"/>; 0 for none.</summary>
    public double EmbeddingNoise { get; init; }

    /// <summary>The rank, from 0, whose rows these are: ranks draw other random numbers for dropout.</summary>
    public int Rank { get; init; }

    /// <summary>Weight of the tokens of prompts in the loss, 0 to 1; 0: they are no targets.</summary>
    public double PromptWeight { get; init; }

    /// <summary>A model whose states at the targets the loss sees beside those of the trained one; its owner's, in evaluation mode, and run by all workers at the same time. Default null: none.</summary>
    public CausalLanguageModel? Teacher { get; init; }

    /// <summary>Whether weight decay acts on a parameter. Default: on those of two and more dimensions.</summary>
    public Func<string, Parameter, bool>? Decays { get; init; }

    /// <summary>Whether the inner values of blocks are computed again in the backward pass instead of kept.</summary>
    public bool Recompute { get; init; }

    /// <summary>Whether rows of a micro-batch are laid one after another, without padding, instead of side by side.</summary>
    public bool Pack { get; init; }

    /// <summary>Coefficient of the routers' load-balancing loss, alpha; 0 for none.</summary>
    public double BalanceCoefficient { get; init; }

    /// <summary>The tokens over which the routers' loads are balanced.</summary>
    public RouterBalanceScope BalanceScope { get; init; } = RouterBalanceScope.Batch;
}
