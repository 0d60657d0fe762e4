using Microsoft.ML;
using MLNetExtension.Estimators;

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
        _ = mlContext.CausalLanguageModeling;  // tells the context how to load our transformer
        ITransformer model;
        DataViewSchema schema;
        try
        {
            model = mlContext.Model.Load(file, out schema);
        }
        catch (Exception e) when (e is InvalidDataException or FormatException or IOException or InvalidOperationException or ArgumentException)
        {
            throw new UserErrorException($"{file} is not a model that this program can load: {e.Message.ReplaceLineEndings(" ")}");
        }
        bool hasPrompts = schema.GetColumnOrNull(nameof(PromptRow.Prompt)) is not null;
        return new SavedModel(model, hasPrompts);
    }

    public void Dispose() => (Model as IDisposable)?.Dispose();
}
