using Microsoft.ML;
using Microsoft.ML.Data;
using MLNetExtension.MLNet.Archive;

namespace MLNetExtension.MLNet.Scoring;

/// <summary>One column that the trained model adds.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="Name">What it is called.</param>
internal sealed record OutputColumn(OutputKind Kind, string Name)
{
    public DataViewType Type => Kind == OutputKind.TokenLogProbabilities ? new VectorDataViewType(ItemType) : ItemType;

    /// <summary>The column as the estimator promises it.</summary>
    public SchemaShape.Column Shape => ModelArchiveBridge.Column(Name, VectorKind, ItemType, isKey: false, ScoreAnnotations.Shape);

    private SchemaShape.Column.VectorKind VectorKind =>
        Kind == OutputKind.TokenLogProbabilities ? SchemaShape.Column.VectorKind.VariableVector : SchemaShape.Column.VectorKind.Scalar;

    private PrimitiveDataViewType ItemType => Kind switch
    {
        OutputKind.LossSum or OutputKind.Perplexity or OutputKind.TokenLogProbabilities => NumberDataViewType.Single,
        OutputKind.GeneratedText => TextDataViewType.Instance,
        _ => NumberDataViewType.Int32,
    };

    /// <summary>The columns, in the order in which they are added.</summary>
    /// <remarks>A model that was saved before a column existed may have given its name to another one: the earlier column keeps it, and the later one is left out.</remarks>
    public static IReadOnlyList<OutputColumn> List(OutputOptions options)
    {
        OutputColumn[] columns =
        [
            new(OutputKind.LossSum, options.LossSum),
            new(OutputKind.TokenCount, options.TokenCount),
            new(OutputKind.ByteCount, options.ByteCount),
            new(OutputKind.CorrectCount, options.CorrectCount),
            new(OutputKind.Perplexity, options.Perplexity),
            new(OutputKind.TokenLogProbabilities, options.TokenLogProbabilities),
            new(OutputKind.GeneratedText, options.GeneratedText),
        ];
        return [.. columns.DistinctBy(column => column.Name)];
    }
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

    /// <summary>How many target tokens the model ranks first; needs the network.</summary>
    CorrectCount,

    /// <summary>The exponential of the row's mean loss, not a number where it has no target token; needs the network.</summary>
    Perplexity,

    /// <summary>The natural logarithm of each target token's probability, in the row's order; needs the network.</summary>
    TokenLogProbabilities,

    /// <summary>Text generated after the row's prompt or text; runs the network for every token.</summary>
    GeneratedText,
}
