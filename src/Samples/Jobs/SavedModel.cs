using Microsoft.ML;
using MLNetExtension.Estimators;
using Samples.Reporting;

namespace Samples.Jobs;

/// <summary>A model that was loaded from a file.</summary>
internal sealed class SavedModel : IDisposable
{
    private SavedModel(ITransformer model, bool hasPrompts) => (Model, HasPrompts) = (model, hasPrompts);

    public ITransformer Model { get; }

    /// <summary>Whether it was trained on prompts and completions, or on texts.</summary>
    public bool HasPrompts { get; }

    /// <exception cref="UserErrorException">The file is missing or holds no model of ours.</exception>
    public static SavedModel Load(MLContext mlContext, string file)
    {
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist; train writes a model.");
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer model;
        DataViewSchema schema;
        try
        {
            model = mlContext.Model.Load(file, out schema);
        }
        catch (Exception e) when (NativeLibraryHint.Explain(e) is null)
        {
            throw new UserErrorException($"{file} is not a model that this program can load: {e.GetBaseException().Message}");
        }
        bool hasPrompts = schema.GetColumnOrNull(nameof(PromptRow.Prompt)) is not null;
        return new SavedModel(model, hasPrompts);
    }

    public void Dispose() => (Model as IDisposable)?.Dispose();
}
