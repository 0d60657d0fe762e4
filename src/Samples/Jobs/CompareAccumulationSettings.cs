using MLNetExtension.Models.Gpt2;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Training;
using Samples.Comparison;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>What the user asked <c>compare-accumulation</c> to do.</summary>
internal sealed record CompareAccumulationSettings
{
    public required string? DataFile { get; init; }
    public required RowColumns Columns { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    public required int Width { get; init; }
    public required int Context { get; init; }
    public required AccumulationComparisonSettings Comparison { get; init; }
    public required string OutputFolder { get; init; }

    /// <summary>Sizes of the model, checked together with the rest.</summary>
    /// <exception cref="UserErrorException">Two settings do not go together.</exception>
    public Gpt2Configuration ToModel()
    {
        var options = new TrainingOptions { Layers = Layers, Heads = Heads, Width = Width, ContextLength = Context };
        try
        {
            options.Validate();
            Comparison.Validate();
        }
        catch (ArgumentException e)
        {
            throw new UserErrorException(e.Message.Split(" (Parameter")[0]);
        }
        return options.ModelConfiguration(new ByteLevelTokenizer().VocabularySize);
    }
}
