using System.CommandLine;
using MLNetExtension.Models.Lora;
using MLNetExtension.Training;
using Samples.Jobs;
using Samples.Reporting;

namespace Samples.Commands;

/// <summary><c>finetune</c>: a published model learns rows.</summary>
internal static class FinetuneCommand
{
    private const double AllWeightsRate = 5e-5, AdapterRate = 2e-4;

    public static Command Create()
    {
        Option<string> published = new("--base") { Description = "Folder of a published model: config.json, *.safetensors and tokenizer files.", HelpName = "DIR", Required = true };
        Option<string> data = new("--data") { Description = "Rows to learn: text (a row a line), .csv or .tsv with a header, or .jsonl; texts, prompts and completions, or chats.", HelpName = "FILE", Required = true };
        var columns = new ColumnOptions();
        Option<int?> rank = OptionFactory.OptionalInteger("--rank", 1, "Train low-rank adapters (LoRA) of this rank, and leave the weights as they are. Default: train all weights.");
        Option<double?> alpha = OptionFactory.OptionalNumber("--alpha", value => value > 0 && double.IsFinite(value), "above 0", "Factor of the adapters, divided by their rank. Default: the rank.");
        Option<string?> target = new("--target") { Description = "Layers that get an adapter, separated by commas, such as q_proj,v_proj. Default: all linear layers of the blocks.", HelpName = "NAME,NAME,..." };
        Option<int?> epochs = OptionFactory.OptionalInteger("--epochs", 1, "Passes over the rows. Default: 1, or no limit where --steps or --minutes is given.");
        Option<int?> steps = OptionFactory.OptionalInteger("--steps", 1, "Train for this many optimizer steps.");
        Option<double?> minutes = OptionFactory.OptionalNumber("--minutes", value => value is > 0 and < 1e6, "above 0", "Train for this long. The first limit reached ends training.");
        Option<int> batchSize = OptionFactory.Integer("--batch-size", 8, 1, "Rows of an optimizer step.");
        Option<int?> microBatchTokens = OptionFactory.OptionalInteger("--micro-batch-tokens", 1, "Most tokens that pass through the model together; the result does not depend on it. Default: the first steps find the fastest.");
        Option<int> context = OptionFactory.Integer("--context", 512, 2, "Most tokens read of a row, at most the model's own; a longer row is cut.");
        Option<ComputePrecision> precision = OptionFactory.Choice("--precision", ComputePrecision.Float32, "What the model computes in; sums and what is trained stay float32.");
        Option<double?> learningRate = OptionFactory.OptionalNumber("--learning-rate", value => value > 0 && double.IsFinite(value), "above 0", "Learning rate after the warm-up; it falls to a tenth. Default: 5e-5, with --rank 2e-4.");
        Option<DeviceChoice> device = OptionFactory.Device();
        Option<int> seed = OptionFactory.Seed();
        Option<int> evaluationRows = OptionFactory.Integer("--evaluation-rows", 400, 1, "Most held-out rows to evaluate on.");
        Option<string> output = new("--output") { Description = "Folder for model.zip, metrics.json and model/ (as published models are) or, with --rank, adapters/ (as PEFT reads them).", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("artifacts", "finetune") };
        Option<string?> json = OptionFactory.JsonFile();

        var command = new Command("finetune", "Trains a published model on rows of your own, all weights or low-rank adapters, and writes it for this library and for others. Ctrl+C ends the training early and keeps what was learnt; once more breaks it off.")
        {
            published, data, rank, alpha, target, epochs, steps, minutes, batchSize, microBatchTokens, context, precision, learningRate, device, seed, evaluationRows, output, json,
        };
        columns.AddTo(command, chats: true);
        command.Validators.Add(result =>
        {
            if (result.GetResult(rank) is null && (result.GetResult(alpha) is not null || result.GetResult(target) is not null))
                result.AddError("--alpha and --target are for low-rank adapters; give their --rank too.");
        });
        command.SetAction(parsed =>
        {
            LoraOptions? lora = parsed.GetValue(rank) is { } r
                ? new LoraOptions { Rank = r, Alpha = parsed.GetValue(alpha) ?? r, TargetModules = parsed.GetValue(target)?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? ["*"] }
                : null;
            var settings = new FinetuneSettings
            {
                BaseFolder = parsed.GetRequiredValue(published),
                DataFile = parsed.GetRequiredValue(data),
                Columns = columns.Read(parsed),
                Lora = lora,
                Steps = parsed.GetValue(steps),
                Minutes = parsed.GetValue(minutes),
                Epochs = parsed.GetValue(epochs) ?? (parsed.GetValue(steps) is null && parsed.GetValue(minutes) is null ? 1 : null),
                BatchSize = parsed.GetValue(batchSize),
                MicroBatchTokens = parsed.GetValue(microBatchTokens),
                Context = parsed.GetValue(context),
                Precision = parsed.GetValue(precision),
                LearningRate = parsed.GetValue(learningRate) ?? (lora is null ? AllWeightsRate : AdapterRate),
                Device = parsed.GetValue(device),
                Seed = parsed.GetValue(seed),
                EvaluationRows = parsed.GetValue(evaluationRows),
                OutputFolder = parsed.GetRequiredValue(output),
            };
            using var interrupt = new Interrupt(canStop: true);
            FinetuneReport report = new FinetuneJob(settings, ConsoleFactory.Create(parsed), interrupt.Token, interrupt.StopToken).Run();
            if (parsed.GetValue(json) is { } file)
                AtomicFile.WriteAllText(file, Json.Indented(report));
            return SamplesApp.Success;
        });
        return command;
    }
}
