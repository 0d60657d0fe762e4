using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Microsoft.ML;
using MLNetExtension;
using MLNetExtension.Generation;
using Samples.Jobs;
using Samples.Reporting;
using Samples.Text;

namespace Samples.Commands;

/// <summary><c>generate</c>: completes a prompt with a saved model.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        Option<string> model = OptionFactory.Model();
        Option<string> prompt = new("--prompt") { Description = "The text to complete.", HelpName = "TEXT", Required = true };
        Option<double> temperature = OptionFactory.Number("--temperature", 0.7, "0 always takes the most likely token; higher values give more varied text.");
        Option<int?> topK = OptionFactory.OptionalInteger("--top-k", 1, "Sample from the K most likely tokens only.");
        Option<double> topP = OptionFactory.Number("--top-p", 1, "Sample from the most likely tokens that together have this probability.", value => value is > 0 and <= 1, "above 0 to 1");
        Option<int> maximumTokens = OptionFactory.Integer("--max-new-tokens", 200, 1, "Maximum number of tokens to generate.");
        Option<int> seed = OptionFactory.Seed("sampling; the same seed gives the same text");
        Option<DeviceChoice> device = OptionFactory.Device();
        var command = new Command("generate", "Completes a prompt with a saved model and shows the text as it is generated.") { model, prompt, temperature, topK, topP, maximumTokens, seed, device };
        command.SetReportingAction(parsed =>
        {
            string modelFile = parsed.GetRequiredValue(model), given = parsed.GetRequiredValue(prompt);
            var options = new GenerationOptions
            {
                MaximumNewTokens = parsed.GetValue(maximumTokens),
                Temperature = parsed.GetValue(temperature),
                TopK = parsed.GetValue(topK),
                TopP = parsed.GetValue(topP),
                Seed = parsed.GetValue(seed),
            };
            MLContext mlContext = parsed.GetValue(device).CreateContext(options.Seed.Value);
            using TrainedModel saved = TrainedModel.Load(mlContext, modelFile);
            PromptedTextGenerator generator = mlContext.CausalLanguageModeling.CreateTextGenerator(saved.Transformer);

            TextWriter output = parsed.InvocationConfiguration.Output;
            using var signals = new EndSignals();
            var text = new StringBuilder();
            long start = Stopwatch.GetTimestamp();
            foreach (string piece in generator.Stream(saved.Kind == RowKind.Prompts ? Row.TerminatePrompt(given) : given, options, signals.CancellationToken))
            {
                text.Append(piece);
                output.Write(piece);
                output.Flush();
            }
            output.WriteLine();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            return new { Model = modelFile, Prompt = given, Generated = text.ToString(), Seconds = seconds, Packages = PackageVersions.Read() };
        });
        return command;
    }
}
