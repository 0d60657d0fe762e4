using Microsoft.ML;
using MLNetExtension;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>A model that was loaded from a file.</summary>
internal sealed class SavedModel : IDisposable
{
    private SavedModel(ITransformer model, RowKind kind) => (Model, Kind) = (model, kind);

    public ITransformer Model { get; }

    /// <summary>What it was trained on.</summary>
    public RowKind Kind { get; }

    /// <exception cref="UserErrorException">The file is missing or holds no model of ours.</exception>
    public static SavedModel Load(MLContext mlContext, string file)
    {
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist; train and finetune write a model.");
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
