using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML;
using MLNetExtension.Evaluation;
using Samples.Errors;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>evaluate</c>: measures a model on the rows of a file, on whole texts or on questions with several answers.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        Option<string> model = OptionFactory.ModelOrFolder();
        Option<string?> data = OptionFactory.OptionalData("Rows to evaluate on");
        Option<int?> stride = OptionFactory.OptionalInteger("--stride", 1,
            "Measure texts whole, however long: the model's context moves over them this many tokens at a time. Plain text is one text then. Default: rows are truncated to the context.");
        Option<string?> choices = new("--multiple-choice") { Description = "Questions to evaluate on: a .jsonl file of { \"question\", \"options\", \"answer\" }, the answer an index from 0.", HelpName = "FILE" };
        Option<DeviceChoice> device = OptionFactory.Device();
        var command = new Command("evaluate", "Measures a model on the rows of a file (loss, perplexity, bits per byte, accuracy), or on multiple-choice questions.") { model, data, stride, choices, device };
        Func<ParseResult, RowColumns> columns = ColumnOptions.AddTo(command, chats: true);
        command.Validators.Add(result =>
        {
            if (result.GetResult(data) is null && result.GetResult(choices) is null)
                result.AddError("evaluate needs --data, --multiple-choice or both.");
            if (result.GetResult(data) is null && result.GetResult(stride) is not null)
                result.AddError("--stride needs --data.");
        });
        command.SetReportingAction(parsed =>
        {
            string modelFile = parsed.GetRequiredValue(model);
            string? dataFile = parsed.GetValue(data), choiceFile = parsed.GetValue(choices);
            int? step = parsed.GetValue(stride);
            RowSet? rows = dataFile is null ? null : step is null ? RowFile.Read(dataFile, columns(parsed)) : RowFile.ReadWhole(dataFile, columns(parsed));
            IReadOnlyList<ChoiceRow>? questions = choiceFile is null ? null : ChoiceRows.Read(choiceFile);
            MLContext mlContext = parsed.GetValue(device).CreateContext(seed: 1);
            using TrainedModel saved = TrainedModel.Open(mlContext, modelFile);

            long start = Stopwatch.GetTimestamp();
            MetricsReport? metrics = rows is null ? null : MetricsReport.From(step is null ? Evaluate(mlContext, saved, rows, modelFile) : EvaluateWhole(mlContext, saved, rows, step.Value));
            MultipleChoiceMetrics? choice = questions is null ? null : Evaluate(mlContext, saved, questions);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

            var console = ConsoleFactory.Create(parsed);
            if (metrics is not null)
                ResultTables.Write(console, "metric", ("value", metrics));
            if (choice is not null)
                ResultTables.Write(console, choice);
            return new { Model = modelFile, Data = dataFile, Stride = step, Metrics = metrics, MultipleChoiceData = choiceFile, MultipleChoice = choice, Seconds = seconds, Packages = PackageVersions.Read() };
        });
        return command;
    }

    private static CausalLanguageModelMetrics Evaluate(MLContext mlContext, TrainedModel model, RowSet rows, string modelFile)
    {
        if (model.Kind != rows.Kind)
            throw new UserErrorException($"{modelFile} was trained on {Describe(model.Kind)}, but {rows.Source} contains {Describe(rows.Kind)}.");
        return mlContext.CausalLanguageModeling.Evaluate(model.Transformer.Transform(RowDataView.Create(mlContext, rows.Rows, rows.Kind)));
    }

    private static CausalLanguageModelMetrics EvaluateWhole(MLContext mlContext, TrainedModel model, RowSet rows, int stride)
    {
        if (rows.Kind != RowKind.Texts)
            throw new UserErrorException($"--stride measures texts, but {rows.Source} contains {Describe(rows.Kind)}.");
        try
        {
            return mlContext.CausalLanguageModeling.EvaluateLongText(model.Transformer, RowDataView.Create(mlContext, rows.Rows, rows.Kind), RowDataView.Text, stride);
        }
        catch (ArgumentOutOfRangeException e)    // the model's context is known only now
        {
            throw UserErrorException.From(e);
        }
    }

    private static MultipleChoiceMetrics Evaluate(MLContext mlContext, TrainedModel model, IReadOnlyList<ChoiceRow> questions)
    {
        try
        {
            return mlContext.CausalLanguageModeling.EvaluateMultipleChoice(model.Transformer, mlContext.Data.LoadFromEnumerable(questions));
        }
        catch (InvalidDataException e)    // an option that does not fit the model's context
        {
            throw UserErrorException.From(e);
        }
    }

    private static string Describe(RowKind kind) => kind switch
    {
        RowKind.Prompts => "prompts with completions",
        RowKind.Chats => "chats",
        _ => "texts without prompts",
    };
}
