using System.Text.Json.Serialization;
using MLNetExtension.Losses;
using MLNetExtension.Training.Accumulation;

namespace MLNetExtension.Training;

/// <summary>What training minimizes: the loss of the target tokens, and what is added to it.</summary>
public sealed record LossOptions
{
    /// <summary>What the accumulated gradient is divided by. Default <see cref="LossNormalization.Token"/>.</summary>
    public LossNormalization Normalization { get; init; } = LossNormalization.Token;

    /// <summary>What a target costs: <see cref="LossKind.CrossEntropy"/>, the default; <see cref="LossKind.Dft"/>; or <see cref="LossKind.Focal"/>. Evaluations measure the cross entropy all the same.</summary>
    public LossKind Kind { get; init; } = LossKind.CrossEntropy;

    /// <summary>
    /// A loss of one's own in place of <see cref="Kind"/>, see <see cref="CustomTokenLoss"/>. It returns a sum and a count, so accumulation stays exact. Default null. Another kind, label smoothing and z-loss
    /// belong to the library's loss and are not allowed beside it. Evaluations measure the cross entropy all the same. Not saved with the model; training that resumes is given the same loss by whoever resumes it.
    /// </summary>
    [JsonIgnore]
    public ITokenLoss? TokenLoss { get; init; }

    /// <summary>Share of a target's probability that is spread over all tokens. Default 0; from 0 to below 1, and 0 where <see cref="Kind"/> is not the cross entropy.</summary>
    /// <remarks>Source: C. Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016.</remarks>
    public double LabelSmoothing { get; init; }

    /// <summary>Coefficient of the squared logarithm of the softmax's normalizer, which keeps logits from drifting; added to every <see cref="Kind"/> as it is. Default 0; from 0 to 1e30, and 1e-4 is usual.</summary>
    /// <remarks>Source: A. Chowdhery et al., "PaLM: scaling language modeling with pathways", 2022.</remarks>
    public double ZLoss { get; init; }

    /// <summary>
    /// Weight of the prompts' tokens in the loss, where columns are prompts with completions or chats: their losses and their count are multiplied by it, beside the row's own weight. Default 0, prompts are only read;
    /// from 0 to 1, where 1 trains on them as on completions. In chats, prompts are all that the assistant does not say. A row without a completion within the context is left out all the same, and evaluations, token
    /// counts and the columns of the trained model measure completions alone.
    /// </summary>
    public double PromptWeight { get; init; }

    /// <summary>
    /// Coefficient of the load-balancing loss of routers, where the model has experts. Default null: 0.01 for a new network; a published one's <c>router_aux_loss_coef</c>, or 0 where its
    /// <c>output_router_logits</c> is not true. From 0 to 1e30.
    /// </summary>
    public double? RouterBalanceCoefficient { get; init; }

    /// <summary>Over which tokens the routers' loads are balanced. Default <see cref="RouterBalanceScope.Batch"/>.</summary>
    public RouterBalanceScope RouterBalanceScope { get; init; } = RouterBalanceScope.Batch;

    /// <summary>Whether another split of a batch gives another gradient.</summary>
    internal bool DependsOnSplit => Normalization == LossNormalization.MicroBatchMean || RouterBalanceScope == RouterBalanceScope.MicroBatch;

    internal ITokenLoss CreateLoss() => TokenLoss ?? new LinearCrossEntropy(labelSmoothing: LabelSmoothing, zLoss: ZLoss, kind: Kind);

    internal void Validate(string group)
    {
        Require.Defined(Normalization, group);
        ArgumentNullException.ThrowIfNull(Kind, $"{group}.{nameof(Kind)}");
        Kind.Validate($"{group}.{nameof(Kind)}");
        Require.That(TokenLoss is null || Kind == LossKind.CrossEntropy, Kind.Describe(), $"{LossKind.CrossEntropy.Describe()} beside {group}.{nameof(TokenLoss)}", group, nameof(Kind));
        Require.That(LabelSmoothing == 0 || Kind.AllowsLabelSmoothing, LabelSmoothing, $"0 where {group}.{nameof(Kind)} is {Kind.Describe()}", group);
        Require.That(TokenLoss is null || LabelSmoothing == 0, LabelSmoothing, $"0 beside {group}.{nameof(TokenLoss)}", group);
        Require.That(TokenLoss is null || ZLoss == 0, ZLoss, $"0 beside {group}.{nameof(TokenLoss)}", group);
        Require.Share(LabelSmoothing, group);
        Require.NotNegative(ZLoss, group);
        Require.That(PromptWeight is >= 0 and <= 1, PromptWeight, "from 0 to 1", group);
        Require.NotNegative(RouterBalanceCoefficient, group);
        Require.Defined(RouterBalanceScope, group);
    }
}
