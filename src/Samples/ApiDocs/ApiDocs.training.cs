using System.Runtime.InteropServices;
using System.Xml.Linq;
using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Generation;

namespace Samples;

public partial class ApiDocs
{
    /// <summary>XML documentation to train on; empty for System.Runtime.xml of the SDK's newest reference pack.</summary>
    public const string RetrainFilePath = "";

    /// <summary>Optimizer steps.</summary>
    public const int RetrainSteps = 1500;

    /// <summary>Seed of the split, the weights and the order of rows.</summary>
    public const int RetrainSeed = 1;

    /// <summary>The share of members that is kept to evaluate on.</summary>
    public const double RetrainTestFraction = 0.1;

    /// <summary>Trains a model and saves it.</summary>
    /// <param name="outputModelPath">Where to, such as <c>ApiDocs.mlnet</c>.</param>
    /// <param name="inputDataFilePath">XML documentation, a file.</param>
    /// <param name="maximumSteps">Optimizer steps.</param>
    public static void Train(string outputModelPath, string inputDataFilePath = RetrainFilePath, int maximumSteps = RetrainSteps)
    {
        var mlContext = new MLContext(RetrainSeed);
        IDataView data = LoadIDataViewFromFile(mlContext, inputDataFilePath);
        ITransformer model = RetrainModel(mlContext, Split(mlContext, data).TrainSet, maximumSteps);
        using var owner = model as IDisposable;
        SaveModel(mlContext, model, data, outputModelPath);
    }

    /// <summary>Reads the members of an XML documentation file that have a summary; one that several share is kept once.</summary>
    public static IDataView LoadIDataViewFromFile(MLContext mlContext, string inputDataFilePath) => mlContext.Data.LoadFromEnumerable(
        XDocument.Load(inputDataFilePath.Length > 0 ? inputDataFilePath : FindReferenceDocumentation()).Descendants("member")
            .Select(member => new ModelInput { Prompt = member.Attribute("name")?.Value ?? "", Completion = Text(member.Element("summary")) })
            .Where(row => row.Completion.Length > 0)
            .DistinctBy(row => row.Completion)
            .ToList());

    /// <summary>The members to train on and those to evaluate on; the same for the same file.</summary>
    public static DataOperationsCatalog.TrainTestData Split(MLContext mlContext, IDataView data) =>
        mlContext.Data.TrainTestSplit(data, RetrainTestFraction, seed: RetrainSeed);

    /// <summary>Saves a model with the schema of its input.</summary>
    public static void SaveModel(MLContext mlContext, ITransformer model, IDataView data, string modelSavePath) => mlContext.Model.Save(model, data.Schema, modelSavePath);

    /// <summary>Trains a model; dispose it when it is no longer used.</summary>
    public static ITransformer RetrainModel(MLContext mlContext, IDataView trainData, int maximumSteps = RetrainSteps) =>
        BuildPipeline(mlContext, maximumSteps).Fit(trainData);

    /// <summary>The pipeline that is trained.</summary>
    public static IEstimator<ITransformer> BuildPipeline(MLContext mlContext, int maximumSteps = RetrainSteps) =>
        mlContext.CausalLanguageModeling.Trainers.CausalLanguageModel(new CausalLanguageModelTrainer.Options
        {
            Columns = InputColumns.PromptCompletion(nameof(ModelInput.Prompt), nameof(ModelInput.Completion)),
            Model = LanguageModel.Gpt2(layers: 3, width: 128, contextLength: 256),
            BatchSize = 8,
            Schedule = new() { WarmupSteps = Math.Min(50, maximumSteps / 10) },
            MaximumSteps = maximumSteps,
            Outputs = new() { Generation = new GenerationOptions { MaximumNewTokens = 160, Temperature = 0 } },
        });

    // A reference such as <see cref="T:System.String"/> is read as its name, and white space as one space.
    private static string Text(XElement? summary) => string.Join(' ', string.Concat((summary?.DescendantNodes() ?? []).Select(node => node switch
    {
        XText text => text.Value,
        XElement { IsEmpty: true } reference when reference.FirstAttribute is { } name => name.Value[(name.Value.IndexOf(':') + 1)..],
        _ => "",
    })).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    // The running framework lies in ROOT/shared/Microsoft.NETCore.App/VERSION, the reference packs in ROOT/packs.
    private static string FindReferenceDocumentation()
    {
        string packs = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../packs/Microsoft.NETCore.App.Ref"));
        return (Directory.Exists(packs) ? Directory.GetFiles(packs, "System.Runtime.xml", SearchOption.AllDirectories) : []).Order(StringComparer.Ordinal).LastOrDefault()
            ?? throw new FileNotFoundException($"There is no System.Runtime.xml below {packs}; install the .NET SDK there, or name an XML documentation file.");
    }
}
