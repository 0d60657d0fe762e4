using Microsoft.ML.Data;

namespace MLNetExtension.Estimators;

/// <summary>One column that the trained model adds.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="Name">What it is called.</param>
internal sealed record OutputColumn(OutputKind Kind, string Name)
{
    public NumberDataViewType Type => Kind == OutputKind.LossSum ? NumberDataViewType.Single : NumberDataViewType.Int32;

    /// <summary>The columns, in the order in which they are added.</summary>
    public static IReadOnlyList<OutputColumn> Of(CausalLanguageModelTrainer.Options options) =>
    [
        new(OutputKind.LossSum, options.LossSumColumnName),
        new(OutputKind.TokenCount, options.TokenCountColumnName),
        new(OutputKind.ByteCount, options.ByteCountColumnName),
    ];
}

/// <summary>What an added column holds.</summary>
internal enum OutputKind
{
    /// <summary>The row's summed loss, in nats; needs the network.</summary>
    LossSum,

    /// <summary>The number of its target tokens; needs the tokenizer alone.</summary>
    TokenCount,

    /// <summary>The number of UTF-8 bytes that those spell; needs the tokenizer alone.</summary>
    ByteCount,
}
