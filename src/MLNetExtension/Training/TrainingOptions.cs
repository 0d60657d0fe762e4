using MLNetExtension.Models.Gpt2;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training;

/// <summary>What is trained and how. Checked once, by <see cref="Validate"/>, where it enters; the parts below receive plain values.</summary>
public class TrainingOptions
{
    /// <summary>Number of transformer blocks. Default 4, at least 1.</summary>
    public int Layers = 4;

    /// <summary>Attention heads of a block. Default 4; divides <see cref="Width"/>.</summary>
    public int Heads = 4;

    /// <summary>Length of a hidden state. Default 128, at least 1.</summary>
    public int Width = 128;

    /// <summary>Most tokens that the model reads of a row; what goes past is cut off and reported. Default 256, at least 1.</summary>
    public int ContextLength = 256;

    /// <summary>Share of outputs that training zeroes at random. Default 0, below 1.</summary>
    public double Dropout;

    /// <summary>Feed-forward networks of a block, of which a router picks some for each token. Default 0: a single one without a router.</summary>
    public int Experts;

    /// <summary>How many experts a token passes through. Default 1; at most <see cref="Experts"/>.</summary>
    public int ExpertsPerToken = 1;

    /// <summary>Coefficient of the routers' load-balancing loss. Default 0.01, at least 0.</summary>
    public double RouterBalanceCoefficient = 0.01;

    /// <summary>Over what the routers' loads are balanced. Default <see cref="RouterBalanceScope.Batch"/>.</summary>
    public RouterBalanceScope RouterBalanceScope = RouterBalanceScope.Batch;

    /// <summary>Rows of an optimizer step, that is of an accumulation window. Default 8, at least 1.</summary>
    public int BatchSize = 8;

    /// <summary>
    /// Most positions that pass through the model together, padding included; a matter of memory and speed alone, the result is the same but for rounding. A longer row passes alone.
    /// Default null: the first steps try several and keep the fastest that fits <see cref="MemoryLimitMiB"/>. A number, at least 1, makes runs equal bit for bit.
    /// </summary>
    public int? MaximumTokensPerMicroBatch;

    /// <summary>Most memory, in MiB, that the process may come to hold while the number of tokens per micro-batch is sought. Default none; above 0.</summary>
    public int? MemoryLimitMiB;

    /// <summary>
    /// Threads of the CPU that training on it uses. Default null: as many as <c>OMP_NUM_THREADS</c> or <c>MKL_NUM_THREADS</c> allows, else one for each processor. At least 1.
    /// The number that libtorch uses outside of training is left alone.
    /// </summary>
    public int? Threads;

    /// <summary>
    /// How many micro-batches are computed side by side on the CPU, each on a thread of its own with a gradient buffer of its own (4 bytes a parameter); a matter of memory and speed
    /// alone, the result is the same but for rounding. Default null: sought together with the number of tokens per micro-batch; 1 where that is given. They share <see cref="Threads"/>. At least 1, and 1 on a GPU.
    /// </summary>
    public int? Workers;

    /// <summary>
    /// Whether rows of a micro-batch are laid one after another, without padding, instead of side by side. Attention stays within each row; the result is the same.
    /// Default null: on the CPU, where it is faster.
    /// </summary>
    public bool? PackRows;

    /// <summary>Whether the inner values of blocks are computed again in the backward pass instead of kept: less memory, about a third more time, the same result bit for bit. Default false.</summary>
    public bool ActivationRecomputation;

    /// <summary>What the model computes in. Default <see cref="ComputePrecision.Float32"/>.</summary>
    public ComputePrecision ComputePrecision = ComputePrecision.Float32;

    /// <summary>What the accumulated gradient is divided by. Default <see cref="LossNormalization.Token"/>.</summary>
    public LossNormalization LossNormalization = LossNormalization.Token;

    /// <summary>Share of a target's probability that is spread over all tokens. Default 0, below 1.</summary>
    public double LabelSmoothing;

    /// <summary>Coefficient of the squared log of the softmax's normaliser, which keeps logits from drifting. Default 0, at least 0; 1e-4 is usual.</summary>
    public double ZLoss;

    /// <summary>Learning rate after the warm-up. Default 3e-3, above 0.</summary>
    public double LearningRate = 3e-3;

    /// <summary>Learning rate at the end of training. Default 3e-4, 0 to <see cref="LearningRate"/>.</summary>
    public double MinimumLearningRate = 3e-4;

    /// <summary>Steps in which the learning rate rises linearly. Default 50, at least 0.</summary>
    public int WarmupSteps = 50;

    /// <summary>Decoupled weight decay of matrices. Default 0.1, at least 0.</summary>
    public double WeightDecay = 0.1;

    /// <summary>Decay of AdamW's mean of gradients. Default 0.9, below 1.</summary>
    public double Beta1 = 0.9;

    /// <summary>Decay of AdamW's mean of squared gradients. Default 0.95, below 1.</summary>
    public double Beta2 = 0.95;

    /// <summary>Added to AdamW's denominator. Default 1e-8, above 0.</summary>
    public double Epsilon = 1e-8;

    /// <summary>L2 norm that a longer gradient is clipped to. Default 1; 0 switches clipping off.</summary>
    public double MaximumGradientNorm = 1;

    /// <summary>Most optimizer steps. Default none; 0 gives the model as it was initialised.</summary>
    public int? MaximumSteps;

    /// <summary>Most passes over the rows. Default none; where no limit is set, one pass is made.</summary>
    public int? MaximumEpochs;

    /// <summary>Longest training time. Default none. Training stops at whichever limit comes first.</summary>
    public TimeSpan? MaximumDuration;

    /// <summary>Seed of the weights, the order of rows and dropout. Default: drawn from the seed of the <c>MLContext</c>.</summary>
    public int? Seed;

    /// <summary>Training stops after this many steps in a row whose loss or gradient is not finite; none of them is applied. Default 10, at least 1.</summary>
    public int MaximumNonFiniteSteps = 10;

    /// <summary>Sizes of the model for a vocabulary.</summary>
    /// <param name="vocabularySize">Number of token ids.</param>
    internal Gpt2Configuration ModelConfiguration(int vocabularySize) => new(vocabularySize, ContextLength, Layers, Heads, Width, Dropout, Experts, ExpertsPerToken);

    /// <summary>Checks every option.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range; the message names option, value and range.</exception>
    public void Validate()
    {
        Require(Layers >= 1, nameof(Layers), Layers, "at least 1");
        Require(Width >= 1, nameof(Width), Width, "at least 1");
        Require(Heads >= 1 && Width % Heads == 0, nameof(Heads), Heads, $"at least 1 and a divisor of {nameof(Width)} ({Width})");
        Require(ContextLength >= 1, nameof(ContextLength), ContextLength, "at least 1");
        Require(Dropout is >= 0 and < 1, nameof(Dropout), Dropout, "from 0 to below 1");
        Require(Experts >= 0, nameof(Experts), Experts, "at least 0");
        Require(ExpertsPerToken >= 1 && ExpertsPerToken <= Math.Max(1, Experts), nameof(ExpertsPerToken), ExpertsPerToken, $"from 1 to {nameof(Experts)} ({Experts})");
        Require(RouterBalanceCoefficient >= 0 && double.IsFinite(RouterBalanceCoefficient), nameof(RouterBalanceCoefficient), RouterBalanceCoefficient, "at least 0");
        Require(Enum.IsDefined(RouterBalanceScope), nameof(RouterBalanceScope), RouterBalanceScope, string.Join(", ", Enum.GetNames<RouterBalanceScope>()));
        Require(BatchSize >= 1, nameof(BatchSize), BatchSize, "at least 1");
        Require(MaximumTokensPerMicroBatch is null or >= 1, nameof(MaximumTokensPerMicroBatch), MaximumTokensPerMicroBatch, "at least 1");
        Require(Threads is null or >= 1, nameof(Threads), Threads, "at least 1");
        Require(Workers is null or >= 1, nameof(Workers), Workers, "at least 1");
        Require(Enum.IsDefined(LossNormalization), nameof(LossNormalization), LossNormalization, string.Join(", ", Enum.GetNames<LossNormalization>()));
        Require(MemoryLimitMiB is null or > 0, nameof(MemoryLimitMiB), MemoryLimitMiB, "above 0");
        Require(Enum.IsDefined(ComputePrecision), nameof(ComputePrecision), ComputePrecision, string.Join(", ", Enum.GetNames<ComputePrecision>()));
        Require(LabelSmoothing is >= 0 and < 1, nameof(LabelSmoothing), LabelSmoothing, "from 0 to below 1");
        Require(ZLoss >= 0 && double.IsFinite(ZLoss), nameof(ZLoss), ZLoss, "at least 0");
        Require(LearningRate > 0 && double.IsFinite(LearningRate), nameof(LearningRate), LearningRate, "above 0");
        Require(MinimumLearningRate >= 0 && MinimumLearningRate <= LearningRate, nameof(MinimumLearningRate), MinimumLearningRate, $"from 0 to {nameof(LearningRate)} ({LearningRate})");
        Require(WarmupSteps >= 0, nameof(WarmupSteps), WarmupSteps, "at least 0");
        Require(WeightDecay >= 0 && double.IsFinite(WeightDecay), nameof(WeightDecay), WeightDecay, "at least 0");
        Require(Beta1 is >= 0 and < 1, nameof(Beta1), Beta1, "from 0 to below 1");
        Require(Beta2 is >= 0 and < 1, nameof(Beta2), Beta2, "from 0 to below 1");
        Require(Epsilon > 0 && double.IsFinite(Epsilon), nameof(Epsilon), Epsilon, "above 0");
        Require(MaximumGradientNorm >= 0, nameof(MaximumGradientNorm), MaximumGradientNorm, "at least 0");
        Require(MaximumSteps is null or >= 0, nameof(MaximumSteps), MaximumSteps, "at least 0");
        Require(MaximumEpochs is null or >= 0, nameof(MaximumEpochs), MaximumEpochs, "at least 0");
        Require(MaximumDuration is null || MaximumDuration >= TimeSpan.Zero, nameof(MaximumDuration), MaximumDuration, "at least 0");
        Require(MaximumNonFiniteSteps >= 1, nameof(MaximumNonFiniteSteps), MaximumNonFiniteSteps, "at least 1");
    }

    private static void Require(bool holds, string option, object? value, string allowed)
    {
        if (!holds)
            throw new ArgumentOutOfRangeException(option, value, $"{option} is {FormattableString.Invariant($"{value}")}; allowed is {allowed}.");
    }
}
