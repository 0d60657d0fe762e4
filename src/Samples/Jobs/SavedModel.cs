using Microsoft.ML;
using MLNetExtension;
using Samples.Errors;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>A model loaded from a file, and the kind of rows it was trained on.</summary>
internal sealed class SavedModel : IDisposable
{
    private SavedModel(ITransformer model, RowKind kind) => (Model, Kind) = (model, kind);

    /// <summary>The model.</summary>
    public ITransformer Model { get; }

    /// <summary>The kind of rows that the model was trained on.</summary>
    public RowKind Kind { get; }

    /// <summary>Loads a model that train or finetune saved.</summary>
    /// <exception cref="UserErrorException">The file is missing or is not such a model.</exception>
    public static SavedModel Load(MLContext mlContext, string file)
    {
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist; train and finetune save a model.");
        mlContext.CausalLanguageModeling.RegisterLoader();
        ITransformer model;
        DataViewSchema schema;
        try
        {
            model = mlContext.Model.Load(file, out schema);
        }
        catch (Exception e) when (TorchSetup.Explain(e) is null)
        {
            throw new UserErrorException($"{file} is not a model that this program can load: {e.GetBaseException().Message}");
        }
        RowKind kind = schema.GetColumnOrNull(nameof(PromptRow.Prompt)) is not null ? RowKind.Prompts
            : schema.GetColumnOrNull(nameof(ChatRow.Messages)) is not null ? RowKind.Chats
            : RowKind.Texts;
        return new SavedModel(model, kind);
    }

    public void Dispose() => (Model as IDisposable)?.Dispose();
}
