using System.CommandLine;
using Samples.Jobs;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary>The options that <c>train</c> and <c>finetune</c> share, and how both run a training job.</summary>
/// <param name="context">The option with the maximum tokens of a row.</param>
/// <param name="output">The option with the output folder.</param>
internal sealed class SharedTrainingOptions(Option<int> context, Option<string> output)
{
    private readonly ColumnOptions _columns = new();
    private readonly Option<int?> _steps = OptionFactory.OptionalInteger("--steps", 1, "Maximum number of optimizer steps.");
    private readonly Option<int> _batchSize = OptionFactory.Integer("--batch-size", 8, 1, "Rows of an optimizer step.");
    private readonly Option<int?> _microBatchTokens = OptionFactory.OptionalInteger(
        "--micro-batch-tokens", 1, "Maximum tokens of a micro-batch, padding included; the result does not depend on it. Default: the fastest size, found in the first steps.");
    private readonly Option<DeviceChoice> _device = OptionFactory.Device();
    private readonly Option<int> _seed = OptionFactory.Seed("the split, the weights, the order of rows and the samples");
    private readonly Option<int> _evaluationRows = OptionFactory.Integer("--evaluation-rows", 400, 1, "Maximum number of held-out rows to evaluate on.");
    private readonly Option<string?> _json = OptionFactory.JsonFile();

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="chats">Whether it trains on chats.</param>
    public void AddTo(Command command, bool chats = false)
    {
        foreach (Option option in (Option[])[_steps, _batchSize, _microBatchTokens, context, _device, _seed, _evaluationRows, output, _json])
            command.Add(option);
        _columns.AddTo(command, chats);
    }

    /// <summary>The maximum number of steps; null if it was not given.</summary>
    public int? Steps(ParseResult parsed) => parsed.GetValue(_steps);

    /// <summary>Reads the shared settings.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="dataFile">The file with rows; null for the documentation of the .NET API.</param>
    /// <param name="learningRate">The learning rate after the warmup.</param>
    public TrainingSettings Read(ParseResult parsed, string? dataFile, double learningRate) => new()
    {
        DataFile = dataFile,
        Columns = _columns.Read(parsed),
        Steps = Steps(parsed),
        BatchSize = parsed.GetValue(_batchSize),
        MicroBatchTokens = parsed.GetValue(_microBatchTokens),
        Context = parsed.GetValue(context),
        LearningRate = learningRate,
        Device = parsed.GetValue(_device),
        Seed = parsed.GetValue(_seed),
        EvaluationRows = parsed.GetValue(_evaluationRows),
        OutputFolder = parsed.GetRequiredValue(output),
    };

    /// <summary>Runs a training job that Ctrl+C stops or cancels, and writes its report.</summary>
    public int Run(ParseResult parsed, ITrainingRecipe recipe, TrainingSettings settings)
    {
        using var ctrlC = new CtrlCHandler(canStop: true);
        TrainReport report = new TrainingJob(recipe, settings, ConsoleFactory.Create(parsed), ctrlC.CancellationToken, ctrlC.StopToken).Run();
        Json.WriteReport(parsed.GetValue(_json), report);
        return ExitCode.Success;
    }
}
