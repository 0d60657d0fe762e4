using Microsoft.ML;
using Microsoft.ML.Runtime;
using MLNetExtension;
using MLNetExtension.Files;
using MLNetExtension.MLNet.Archive;
using MLNetExtension.MLNet.Trainer;
using Samples.Errors;
using Samples.Text;

namespace Samples.Jobs;

/// <summary>A trained model, alone or at the end of a pipeline, and the kind of rows it was trained on.</summary>
internal sealed record TrainedModel(ITransformer Transformer, RowKind Kind) : IDisposable
{
    /// <summary>The language model itself.</summary>
    public CausalLanguageModelTransformer LanguageModel => LastOf(Transformer);

    /// <summary>Loads a model that train or finetune saved.</summary>
    /// <exception cref="UserErrorException">The file is missing or is not such a model.</exception>
    public static TrainedModel Load(MLContext mlContext, string file)
    {
        if (!File.Exists(file))
            throw new UserErrorException($"{file} does not exist; train and finetune save a model.");
        mlContext.CausalLanguageModeling.RegisterLoader();
        try
        {
            using FileStream stream = RegularFile.OpenRead(file);
            ITransformer model = mlContext.Model.Load(stream, out DataViewSchema schema);
            return new TrainedModel(model, RowDataView.KindOf(schema));
        }
        catch (Exception e) when (TorchSetup.Explain(e) is null)
        {
            throw new UserErrorException($"{file} is not a model that this program can load: {e.GetBaseException().Message}");
        }
    }

    /// <summary>Opens a model that train or finetune saved, or one that is published in a folder.</summary>
    /// <exception cref="UserErrorException">The file or the folder is missing or holds no such model.</exception>
    public static TrainedModel Open(MLContext mlContext, string place)
    {
        if (!Directory.Exists(place))
            return Load(mlContext, place);
        try
        {
            using IChannel channel = ((IHostEnvironment)mlContext).Start("Opening a published model");
            CausalLanguageModelTrainer.Options options = new() { Model = MLNetExtension.LanguageModel.Pretrained(place) };
            TrainedLanguageModel model = StartingModel.Open(options).Create(TorchDevice.Select(mlContext, channel), seed: 0);
            return new TrainedModel(new CausalLanguageModelTransformer(model, options, training: null), RowKind.Texts);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or NotSupportedException && TorchSetup.Explain(e) is null)
        {
            throw new UserErrorException($"{place} is not a model that this program can open: {e.Message}");
        }
    }

    private static CausalLanguageModelTransformer LastOf(ITransformer model) =>
        model is IEnumerable<ITransformer> pipeline ? LastOf(pipeline.Last()) : (CausalLanguageModelTransformer)model;

    public void Dispose() => (Transformer as IDisposable)?.Dispose();
}
