using System.CommandLine;
using MLNetExtension.Training.Accumulation;
using Samples.Jobs;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary><c>train</c>: the main job.</summary>
internal static class TrainCommand
{
    public static Command Create()
    {
        Option<string?> data = new("--data") { Description = "Rows of your own: text (a row a line), .csv or .tsv with a header, or .jsonl. Default: the XML documentation in the SDK's reference packs.", HelpName = "FILE" };
        var columns = new ColumnOptions();
        Option<double?> minutes = OptionFactory.OptionalNumber("--minutes", value => value is > 0 and < 1e6, "above 0", "Train for this long. Default: 4, or no limit where --steps is given; with both, the first limit reached ends training.");
        Option<int?> steps = OptionFactory.OptionalInteger("--steps", 1, "Train for this many optimizer steps.");
        Option<int> batchSize = OptionFactory.Integer("--batch-size", 8, 1, "Rows of an optimizer step.");
        Option<int?> microBatchTokens = OptionFactory.OptionalInteger("--micro-batch-tokens", 1, "Most tokens that pass through the model together, padding included; the result does not depend on it. Default: the first steps find the fastest.");
        Option<LossNormalization> normalization = OptionFactory.Choice("--loss-normalization", LossNormalization.Token, "What a window's gradient is divided by: Token is exact.");
        Option<DeviceChoice> device = OptionFactory.Device();
        Option<int> seed = OptionFactory.Seed();
        Option<int> layers = OptionFactory.Integer("--layers", 3, 1, "Transformer blocks.");
        Option<int> heads = OptionFactory.Integer("--heads", 4, 1, "Attention heads of a block; divides the width.");
        Option<int> width = OptionFactory.Integer("--width", 128, 1, "Length of a hidden state.");
        Option<int> context = OptionFactory.Integer("--context", 256, 2, "Most tokens read of a row; a longer row is cut.");
        Option<double> learningRate = OptionFactory.Number("--learning-rate", 3e-3, value => value > 0 && double.IsFinite(value), "above 0", "Learning rate after the warm-up; it falls to a tenth.");
        Option<int> evaluationRows = OptionFactory.Integer("--evaluation-rows", 400, 1, "Most held-out rows to evaluate on.");
        Option<string> output = new("--output") { Description = "Folder for model.zip, metrics.json, loss-curve.html and the TensorBoard event file.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("artifacts", "train") };
        Option<string?> json = OptionFactory.JsonFile();

        var command = new Command("train", "Trains a small GPT through an ML.NET pipeline, evaluates it before and after, saves it and shows what it writes. Ctrl+C ends the training early and keeps what was learnt; once more breaks it off.")
        {
            data, minutes, steps, batchSize, microBatchTokens, normalization, device, seed, layers, heads, width, context, learningRate, evaluationRows, output, json,
        };
        columns.AddTo(command);
        command.SetAction(parsed =>
        {
            var settings = new TrainSettings
            {
                DataFile = parsed.GetValue(data),
                Columns = columns.Read(parsed),
                Minutes = parsed.GetValue(minutes) ?? (parsed.GetValue(steps) is null ? 4 : null),
                Steps = parsed.GetValue(steps),
                BatchSize = parsed.GetValue(batchSize),
                MicroBatchTokens = parsed.GetValue(microBatchTokens),
                LossNormalization = parsed.GetValue(normalization),
                Device = parsed.GetValue(device),
                Seed = parsed.GetValue(seed),
                Layers = parsed.GetValue(layers),
                Heads = parsed.GetValue(heads),
                Width = parsed.GetValue(width),
                Context = parsed.GetValue(context),
                LearningRate = parsed.GetValue(learningRate),
                EvaluationRows = parsed.GetValue(evaluationRows),
                OutputFolder = parsed.GetRequiredValue(output),
            };
            using var interrupt = new Interrupt(canStop: true);
            TrainReport report = new TrainJob(settings, ConsoleFactory.Create(parsed), interrupt.Token, interrupt.StopToken).Run();
            if (parsed.GetValue(json) is { } file)
                AtomicFile.WriteAllText(file, Json.Indented(report));
            return SamplesApp.Success;
        });
        return command;
    }
}
